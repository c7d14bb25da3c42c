"""Flow programs to compare with: OpenCV's DIS and Farnebäck, from each frame to the next.

Settings are the best of those tried on the tuning seeds; both programs see grey 8-bit frames.
"""

import importlib
import importlib.util
from collections.abc import Callable
from itertools import pairwise

import torch

from ..errors import SettingInvalid
from ..types import Velocity, Video

MISSING = "OpenCV is missing, whose flow is compared with; pip install opencv-python-headless"


def available() -> bool:
    """Whether OpenCV is installed."""
    return importlib.util.find_spec("cv2") is not None


def flow_programs() -> dict[str, Callable[[Video], Velocity]]:
    """The programs by name; each takes (T, C, H, W) in [0, 1] and gives (T-1, 2, H, W), pixels per frame.

    Raises:
        SettingInvalid: OpenCV is not installed.
    """
    if not available():
        raise SettingInvalid(MISSING)
    return {"dis": dis, "farneback": farneback}


def dis(video: Video) -> Velocity:
    """Dense inverse search [Kroeger2016]: medium, at full resolution, small patches, refined for longer."""
    cv2 = importlib.import_module("cv2")
    program = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    program.setFinestScale(0)
    program.setPatchSize(4)
    program.setPatchStride(1)
    program.setVariationalRefinementIterations(40)
    return _between_frames(video, lambda now, following: program.calc(now, following, None))


def farneback(video: Video) -> Velocity:
    """Polynomial expansion [Farneback2003], windows of 21 pixels."""
    cv2 = importlib.import_module("cv2")
    options = {"pyr_scale": 0.5, "levels": 4, "winsize": 21, "iterations": 10, "poly_n": 5, "poly_sigma": 1.1}
    return _between_frames(
        video, lambda now, following: cv2.calcOpticalFlowFarneback(now, following, None, flags=0, **options)
    )


def _between_frames(video: Video, flow: Callable[..., object]) -> Velocity:
    grey = (video.mean(dim=1) * 255).round().clamp(0, 255).to(torch.uint8).cpu().numpy()
    found = [torch.from_numpy(flow(now, following)) for now, following in pairwise(grey)]
    return torch.stack(found).permute(0, 3, 1, 2).float()
