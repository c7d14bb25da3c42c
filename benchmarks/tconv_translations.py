"""Trained to tell eight translations apart, does a 3T layer point along them?

    python benchmarks/tconv_translations.py [--seeds 3] [--steps 900] [--json FILE] [--picture FILE.png]

Trains one network a seed, about a minute of processor time each, and prints a row per class: the direction of
the mean content velocity of the channels that the class uses, weighed by use. By chance it is 90 degrees off.

One 3T layer, rectified and averaged over the map, and a linear layer to eight classes; nothing tells it
directions but labels. What each channel shows moves by its own parameters: the mean motion of the channels a
class relies on should be along that class.
"""

import argparse
import statistics
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from kinetoscope.evaluation.metrics import direction_error_deg
from kinetoscope.files import write_bytes_atomically, write_json
from kinetoscope.motion.summary import direction_deg
from kinetoscope.render.trajectories import draw_directions
from kinetoscope.synthetic.motions import Clips, ClipSettings, make_clips
from kinetoscope.synthetic.planted import drift
from kinetoscope.synthetic.textures import split_generator
from kinetoscope.tconv.layer import IDENTITY, Conv3T
from kinetoscope.tconv.read import LayerMotion, read_motion
from kinetoscope.types import MOTION_LABELS, VideoBatch

CLASSES = MOTION_LABELS[:8]


@dataclass(frozen=True)
class TranslationSettings:
    """How the network is made and trained.

    Attributes:
        steps: of Adam.
        batch: clips a step.
        rate: highest step size, in a one-cycle schedule.
        path_rate: the same for the trajectories. As large as `rate` they leap: a kernel is as well shifted by
            a wavelength too much, and then says a wrong direction.
        channels: of the 3T layer.
        kernel: (D, h, w).
        clip: (frames, height, width).
        test_per_class: held-out clips of each class that are answered, and by which use is measured.
        seed: of weights and clips.
    """

    steps: int = 900
    batch: int = 32
    rate: float = 0.02
    path_rate: float = 0.004
    channels: int = 24
    kernel: tuple[int, int, int] = (5, 9, 9)
    clip: tuple[int, int, int] = (7, 24, 32)
    test_per_class: int = 40
    seed: int = 0

    def clips(self) -> ClipSettings:
        """The clips it is trained and tested with: clean translations, each near its class's direction."""
        return ClipSettings(clip=self.clip, texture_size=64, speed=(0.7, 1.8)).clean()


class Translations(nn.Module):
    """Names the direction of a translation, from `CLASSES`.

    Takes clips (B, 3, T, H, W) in [0, 1] of any size that the kernel fits in; gives logits (B, 8).
    """

    def __init__(self, channels: int, kernel: tuple[int, int, int]) -> None:
        super().__init__()
        self.conv = Conv3T(1, channels, kernel, bias=False)
        self.norm = nn.BatchNorm3d(channels)
        self.relu = nn.ReLU()
        self.fc = nn.Linear(channels, len(CLASSES))

    def pooled(self, clips: VideoBatch) -> Float[Tensor, "batch channels"]:
        """Mean rectified response of each channel, which is all that the classes are told from."""
        grey = clips.mean(dim=1, keepdim=True)
        spread, middle = torch.std_mean(grey, dim=(2, 3, 4), keepdim=True)
        return self.relu(self.norm(self.conv((grey - middle) / (spread + 0.05)))).mean(dim=(2, 3, 4))

    def forward(self, clips: VideoBatch) -> Float[Tensor, "batch 8"]:
        """Give the logit of each class."""
        return self.fc(self.pooled(clips))


@dataclass(frozen=True)
class ClassMotion:
    """What the weights say about one class.

    Attributes:
        name: of the class.
        wanted_deg: direction of the class, as seen on screen, counter-clockwise from rightward.
        found_deg: of the mean content velocity of all channels, each counted by its use.
        speed_px_per_frame: of that mean.
        error_deg: between the two directions, at most 180; 90, as by chance, where no channel is used.
        channels: the most used ones, the first most.
        use: of these, as shares of what speaks for the class.
        channels_deg: directions of their content.
    """

    name: str
    wanted_deg: float
    found_deg: float
    speed_px_per_frame: float
    error_deg: float
    channels: tuple[int, ...]
    use: tuple[float, ...]
    channels_deg: tuple[float, ...]


def fit_translations(settings: TranslationSettings) -> Translations:
    """Train a network from scratch; the same settings and machine give the same weights."""
    generator = split_generator(settings.seed, "train")
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(settings.seed)
        net = Translations(settings.channels, settings.kernel)
    paths = [getattr(net.conv, name) for name in IDENTITY]
    others = [net.conv.first_weight, *net.norm.parameters(), *net.fc.parameters()]
    optimizer = torch.optim.Adam([{"params": others}, {"params": paths}])
    rates = [settings.rate, settings.path_rate]
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rates, total_steps=settings.steps)
    for _ in range(settings.steps):
        labels = torch.randint(len(CLASSES), (settings.batch,), generator=generator)
        clips = make_clips(labels, generator, settings.clips())
        optimizer.zero_grad()
        F.cross_entropy(net(clips.video), labels).backward()
        optimizer.step()
        schedule.step()
    return net.eval()


def held_out(settings: TranslationSettings) -> Clips:
    """Clips of textures that are never trained with."""
    labels = torch.arange(len(CLASSES)).repeat(settings.test_per_class)
    return make_clips(labels, split_generator(settings.seed, "held-out"), settings.clips(), "held-out")


@torch.no_grad()
def class_motions(net: Translations, clips: Clips, most: int = 4) -> tuple[float, list[ClassMotion]]:
    """Accuracy on the clips, and for each class what the parameters of the channels it uses say.

    A class uses a channel that responds more when the class is shown, and whose response raises its logit: by
    the product of the two, each counted from the mean over classes. Channels it knows by their silence say
    nothing about its direction and do not count.
    """
    pooled = torch.cat([net.pooled(part) for part in clips.video.split(32)])
    correct = float((net.fc(pooled).argmax(dim=1) == clips.labels).float().mean())
    (motion,) = read_motion(net)
    velocity = content_velocity(motion)
    found = []
    for index, name in enumerate(CLASSES):
        above = pooled[clips.labels == index].mean(dim=0) - pooled.mean(dim=0)
        use = above.relu() * (net.fc.weight[index] - net.fc.weight.mean(dim=0)).relu()
        use = use / use.sum().clamp(min=torch.finfo(use.dtype).tiny)
        mean = velocity @ use
        order = use.argsort(descending=True)[:most]
        wanted = 45.0 * index
        found.append(
            ClassMotion(
                name,
                wanted,
                direction_deg(mean),
                float(mean.norm()),
                direction_error_deg(mean, drift(wanted, 1.0)) or 0.0,
                tuple(order.tolist()),
                tuple(use[order].tolist()),
                tuple(direction_deg(velocity[:, channel]) for channel in order),
            )
        )
    return correct, found


def content_velocity(motion: LayerMotion) -> Float[Tensor, "2 out"]:
    """Mean velocity of what each channel shows at the middle, cells per slice, x right and y down."""
    return (motion.path_px[-1] - motion.path_px[0]) / (len(motion.path_px) - 1)


def measure(settings: TranslationSettings) -> tuple[Translations, dict]:
    began = time.process_time()
    net = fit_translations(settings)
    seconds = time.process_time() - began
    accuracy, classes = class_motions(net, held_out(settings))
    print(f"\nseed {settings.seed}: accuracy {accuracy:.3f}, {seconds:.0f} s of processor time\n")
    print("| class | wanted | found | error | speed, px/frame | most used channels: share, direction |")
    print("|---|---|---|---|---|---|")
    for row in classes:
        used = ", ".join(
            f"{channel}: {share:.2f}, {angle:.0f}\N{DEGREE SIGN}"
            for channel, share, angle in zip(row.channels, row.use, row.channels_deg, strict=True)
        )
        numbers = (
            f"{row.wanted_deg:.0f} | {row.found_deg:.0f} | {row.error_deg:.1f} | {row.speed_px_per_frame:.2f}"
        )
        print(f"| {row.name} | {numbers} | {used} |", flush=True)
    record = {"accuracy": accuracy, "seconds": seconds, "classes": [asdict(row) for row in classes]}
    return net, {"settings": asdict(settings), **record}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    standard = TranslationSettings()
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=standard.steps)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the numbers here")
    parser.add_argument("--picture", type=Path, help="draw the first network's classes here")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    runs = []
    for seed in range(options.seeds):
        net, record = measure(TranslationSettings(steps=options.steps, seed=seed))
        runs.append(record)
        if seed == 0 and options.picture:
            (motion,) = read_motion(net)
            about = [
                (row["name"], row["wanted_deg"], row["channels"], row["use"]) for row in record["classes"]
            ]
            title = "Eight translations: paths of the channels each class uses most"
            picture = draw_directions(title, about, motion.path_px, net.conv.weight.detach())
            write_bytes_atomically(options.picture, picture)
    errors = [row["error_deg"] for run in runs for row in run["classes"]]
    print(f"\nmean error {statistics.mean(errors):.1f}, median {statistics.median(errors):.1f}", end="")
    print(f", largest {max(errors):.1f} degrees over {len(errors)} classes")
    if options.json:
        write_json(options.json, {"mean_error_deg": statistics.mean(errors), "runs": runs})


if __name__ == "__main__":
    main()
