"""What Lightning runs to train the bundled network; imports Lightning, so import this file late."""

import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torch.utils.data import DataLoader, IterableDataset

from ..models.motion13 import CARD, build_motion13
from ..types import MOTION_LABELS
from .clips import ClipSettings, make_clips, make_nothing
from .motion13 import Recipe, Stage, accuracy, held_out_clips, normalize
from .stillness import Dreams, calm_loss, contrast, flicker, make_restless, unsteady_share
from .textures import split_generator, uniform

Batch = tuple[Tensor, Tensor]


class ClipStream(IterableDataset[Batch]):
    """An endless stream of fresh batches: video and labels, 13 for clips of no motion at all."""

    def __init__(self, recipe: Recipe, stage: Stage) -> None:
        self.recipe, self.stage = recipe, stage

    def __iter__(self) -> Iterator[Batch]:
        generator = split_generator(self.recipe.seed + 1000 * self.recipe.stages.index(self.stage), "train")
        settings = ClipSettings(clip=CARD.clip)
        while True:
            labels = torch.randint(len(MOTION_LABELS), (self.recipe.batch,), generator=generator)
            video = make_clips(labels, generator, settings).video
            nothing = make_nothing(self.stage.nothing, generator, settings)
            none = torch.full((self.stage.nothing,), len(MOTION_LABELS))
            video, labels = torch.cat([video, nothing]), torch.cat([labels, none])
            yield video, labels
            # making clips costs as much as learning from them; what is left and right, first and last is free
            yield mirror(video, labels, generator)


# axis of (B, 3, T, H, W) to flip, the eight directions and the other five motions after it
_MIRRORS = (
    (2, [4, 5, 6, 7, 0, 1, 2, 3, 9, 8, 11, 10, 12, 13]),
    (3, [0, 7, 6, 5, 4, 3, 2, 1, 8, 9, 11, 10, 12, 13]),
    (4, [4, 3, 2, 1, 0, 7, 6, 5, 8, 9, 11, 10, 12, 13]),
)


def mirror(video: Tensor, labels: Tensor, generator: torch.Generator) -> Batch:
    """Flip a batch in time, up and down, left and right, each by the toss of a coin; labels follow."""
    tosses = torch.rand(len(_MIRRORS), generator=generator).tolist()
    for toss, (axis, names) in zip(tosses, _MIRRORS, strict=True):
        if toss < 0.5:
            video, labels = video.flip(axis), torch.tensor(names)[labels]
    return video, labels


def background_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy where a clip without motion, label 13, has the fixed logit 0.

    So a logit is evidence by itself, not only against its neighbours, and its optimal input shows that.
    """
    return F.cross_entropy(torch.cat([logits, torch.zeros_like(logits[:, :1])], 1), labels)


def add_norms(net: nn.Module) -> nn.Module:
    """Put batch normalization behind each convolution: else average pooling buries motion under the mean."""
    for name, layer in list(net.named_children()):
        if isinstance(layer, nn.Conv3d):
            setattr(net, name, nn.Sequential(layer, nn.BatchNorm3d(layer.out_channels)))
    return net


def fold_norms(net: nn.Module) -> nn.Module:
    """Undo `add_norms` in evaluation mode: the plain convolutions then give what both gave together."""
    net.eval()
    for name, layer in list(net.named_children()):
        if isinstance(layer, nn.Sequential):
            convolution, norm = layer
            if isinstance(convolution, nn.Conv3d) and isinstance(norm, nn.BatchNorm3d):
                setattr(net, name, fuse_conv_bn_eval(convolution, norm))
    return net


class Motion13Task(LightningModule):
    """Learns clips and background; a quarter of each batch is pushed one step against its label beforehand.

    The push (fast gradient sign: Goodfellow et al. 2015, Explaining and Harnessing Adversarial Examples,
    section 4) makes the network's input gradient smooth, and with it what activation maximization finds.
    """

    def __init__(self, recipe: Recipe, stage: Stage, net: nn.Module) -> None:
        super().__init__()
        self.recipe = recipe
        self.stage, self.net = stage, net
        self.steps = max(1, round(recipe.steps * stage.share))
        self.held_out = held_out_clips(recipe.validation_per_class, recipe.seed)
        self.generator = split_generator(recipe.seed + 1000 * recipe.stages.index(stage) + 500, "train")
        self.dreams = Dreams(recipe.dreams, self.generator, CARD.clip)
        self.started = time.monotonic()

    def progress(self) -> float:
        """How much of the training is done, in [0, 1]: by steps, or by time where minutes are set."""
        share = self.global_step / self.steps
        if self.recipe.minutes is not None:
            share = max(
                share, (time.monotonic() - self.started) / (60 * self.recipe.minutes * self.stage.share)
            )
        return min(share, 1.0)

    def training_step(self, batch: Sequence[Tensor], index: int) -> Tensor:
        """The loss of one batch; also sets the step size and says when to stop."""
        progress = self.progress()
        rise = min(1.0, (self.global_step + 1) / 100)
        rate = self.stage.learning_rate * rise * (0.5 + 0.5 * math.cos(math.pi * progress)) + 1e-6
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = rate
        self.trainer.should_stop = progress >= 1
        video, labels = batch  # a list by now, as the loader hands it over
        # the net learns to see before it is made to withstand
        strength = self.recipe.push * max(0.0, progress - self.recipe.push_from) / (1 - self.recipe.push_from)
        part = len(video) // 4
        if part and strength > 0:
            video = torch.cat([self._pushed(video[:part], labels[:part], strength), video[part:]])
        logits = self.net(normalize(video))
        loss = background_loss(logits, labels)
        self.log("train_loss", loss)
        if self.stage.calm > 0 and index % 2 == 0:
            with torch.autocast("cpu", enabled=False):  # the differences between frames are too fine for bf16
                loss = loss + self.stage.calm * self._calm()
        moving = labels < len(MOTION_LABELS)
        self.log("train_accuracy", (logits.argmax(1) == labels)[moving].float().mean())
        self.log("learning_rate", rate)
        return loss

    def _calm(self) -> Tensor:
        """The losses about stillness, on fresh restless clips and the dreams."""
        restless = make_restless(self.recipe.restless, self.generator, ClipSettings(clip=CARD.clip))
        dreams = self.dreams.step(self._logits)
        fade = uniform(self.generator, 0.3, 0.8, len(restless) + len(dreams))
        calm = calm_loss(self._logits, torch.cat([restless, dreams]), fade)
        unsteady = unsteady_share(self._logits, dreams)
        self.log("calm_loss", calm)
        self.log("unsteady_share", unsteady)
        self.log("dream_flicker", (flicker(dreams) / contrast(dreams)).mean())
        return calm + unsteady

    def _logits(self, video: Tensor) -> Tensor:
        return self.net(normalize(video))

    def _pushed(self, video: Tensor, labels: Tensor, strength: float) -> Tensor:
        """Move each clip by up to `strength` along the sign of its loss's gradient."""
        video = video + strength * (2 * torch.rand_like(video) - 1)
        video.requires_grad_()
        with torch.enable_grad():
            loss = background_loss(self.net(normalize(video)), labels)
            (gradient,) = torch.autograd.grad(loss, video)
        size = strength * torch.rand(len(video), 1, 1, 1, 1)
        return (video + size * gradient.sign()).detach().clamp(0, 1)

    def on_train_batch_end(self, *_: Any) -> None:
        """Measure on held-out clips now and then."""
        if self.global_step % self.recipe.validate_every == 0:
            self.net.eval()
            self.log("held_out_accuracy", accuracy(self.net, self.held_out))
            self.net.train()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW; weight decay keeps filters smooth."""
        return torch.optim.AdamW(
            self.net.parameters(), lr=self.stage.learning_rate, weight_decay=self.recipe.weight_decay
        )


def fit(recipe: Recipe, out: Path) -> nn.Module:
    """Train by the recipe; metrics and checkpoints go below `out`; give the network in evaluation mode."""
    torch.manual_seed(recipe.seed)
    net: nn.Module = build_motion13()
    for number, stage in enumerate(recipe.stages, 1):
        folder = out / f"stage-{number}"
        task = Motion13Task(recipe, stage, (add_norms(net) if stage.norms else net).train())
        trainer = Trainer(
            accelerator="cpu",
            precision="bf16-mixed",
            max_steps=task.steps,
            logger=CSVLogger(folder, name="", version=""),
            callbacks=[ModelCheckpoint(folder, every_n_train_steps=recipe.validate_every)],
            log_every_n_steps=min(50, task.steps),
            gradient_clip_val=1.0,
            enable_model_summary=False,
            enable_progress_bar=False,
        )
        trainer.fit(task, DataLoader(ClipStream(recipe, stage), batch_size=None))
        net = fold_norms(task.net)
    return net
