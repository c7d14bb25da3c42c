"""Tasks given to an engine until they are finished or have failed for good."""

from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass

from ..errors import OutputUnwritable, WorkerLost
from .engines import Engine
from .plan import Batch, Task
from .worker import Job, Outcome

ATTEMPTS = 3
"""How often a batch is begun whose worker is lost."""


@dataclass(frozen=True)
class Failure:
    """A unit that is not there in the end, why, and after how many attempts with it alone."""

    layer: str
    unit: int
    reason: str
    attempts: int


def run_all(
    engine: Engine, job: Job, tasks: Sequence[Task], told: Callable[[Outcome], None]
) -> list[Failure]:
    """Compute tasks; what failed is tried again, each unit of a batch alone if the batch itself failed.

    A batch whose worker was lost is begun again as it was, so that its arrays are the plan's.

    Args:
        told: hears what became of each task.

    Raises:
        OutputUnwritable: the atlas cannot be written; no other unit could be.
    """
    waiting, failures, begun = deque(tasks), list[Failure](), Counter[Batch]()
    while waiting:
        with closing(engine(job, waiting)) as outcomes:  # stopped in the middle, it stops its workers
            for outcome in outcomes:
                told(outcome)
                task, batch, error = outcome.task, outcome.task.batch, outcome.error
                begun[batch] += 1
                if isinstance(error, OutputUnwritable):
                    raise error
                if isinstance(error, WorkerLost) and begun[batch] < ATTEMPTS:
                    waiting.append(task)
                elif error is not None and len(batch.units) > 1:
                    waiting += [Task(Batch(batch.layer, (unit,)), (unit,)) for unit in task.missing]
                elif error is not None:
                    failures.append(Failure(batch.layer, task.missing[0], str(error), begun[batch]))
    return failures
