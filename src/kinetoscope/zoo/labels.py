"""Class names of the data sets that published networks were trained on, one a line in `labels/`."""

from functools import cache
from importlib import resources

from ..errors import SettingInvalid

DATASETS = ("jester", "kinetics400", "sports1m", "ucf101")


@cache
def class_names(dataset: str) -> tuple[str, ...]:
    """Names of a data set's classes, in the order of a classifier's outputs.

    `kinetics400` (400 names, Kay et al. 2017), `sports1m` (487, Karpathy et al. 2014), `ucf101` (101, Soomro
    et al. 2012) and `jester` (27, Materzynska et al. 2019), ordered as the published checkpoints are.

    Raises:
        SettingInvalid: another data set.
    """
    if dataset not in DATASETS:
        raise SettingInvalid(f"class names are kept for {', '.join(DATASETS)}, not for {dataset!r}")
    text = (resources.files(__package__) / "labels" / f"{dataset}.txt").read_text(encoding="utf-8")
    return tuple(text.splitlines())
