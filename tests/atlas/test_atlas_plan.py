"""The plan: every unit once, the same batches whatever is finished, shards that fit together."""

from hypothesis import given
from hypothesis import strategies as st

from kinetoscope.atlas.plan import MOST, MOST_ELSEWHERE, Batch, Task, batch_size, batches, shard


@given(st.dictionaries(st.sampled_from("abc"), st.integers(0, 20)), st.integers(1, 9), st.integers(1, 8))
def test_shards_hold_every_unit_once_and_in_order(counts: dict[str, int], size: int, shards: int) -> None:
    plan = batches({layer: range(count) for layer, count in counts.items()}, size)
    tasks = [Task(batch, batch.units) for batch in plan]
    together = [task for index in range(shards) for task in shard(tasks, index, shards)]
    assert together == tasks
    found = [(task.batch.layer, unit) for task in tasks for unit in task.batch.units]
    assert found == [(layer, unit) for layer, count in counts.items() for unit in range(count)]
    assert all(len(batch.units) <= size for batch in plan)
    lengths = [len(shard(tasks, index, shards)) for index in range(shards)]
    assert max(lengths) - min(lengths) <= 1


def test_a_batch_is_of_one_layer_and_keeps_the_order_given() -> None:
    assert batches({"b": [4, 1, 0], "a": [7]}, 2) == [Batch("b", (4, 1)), Batch("b", (0,)), Batch("a", (7,))]


def test_large_clips_are_taken_apart_by_fewer() -> None:
    assert batch_size((3, 16, 64, 64), "cpu") == MOST
    assert batch_size((3, 16, 112, 112), "cpu") == 2
    assert batch_size((3, 64, 224, 224), "cpu") == 1
    assert batch_size((3, 64, 224, 224), "cuda") == MOST_ELSEWHERE
