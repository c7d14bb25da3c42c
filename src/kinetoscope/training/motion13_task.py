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

from ..synthetic.motions import ClipSettings, make_clips, make_nothing
from ..synthetic.textures import split_generator
from ..types import MOTION_LABELS
from ..zoo.motion13 import CARD, build_motion13
from .motion13_recipe import Motion13Recipe, Stage, accuracy, held_out_clips, normalize
from .symmetry import settle, symmetrize

Batch = tuple[Tensor, Tensor]


class ClipStream(IterableDataset[Batch]):
    """An endless stream of fresh batches: video and labels, 13 for clips of no motion at all."""

    def __init__(self, recipe: Motion13Recipe, stage: Stage) -> None:
        self.recipe, self.stage = recipe, stage

    def __iter__(self) -> Iterator[Batch]:
        generator = split_generator(self.recipe.seed + 1000 * self.recipe.stages.index(self.stage), "train")
        settings = ClipSettings(clip=CARD.clip)
        while True:
            labels = torch.randint(len(MOTION_LABELS), (self.recipe.batch,), generator=generator)
            video = make_clips(labels, generator, settings).video
            nothing = make_nothing(self.stage.nothing, generator, settings)
            none = torch.full((self.stage.nothing,), len(MOTION_LABELS))
            yield torch.cat([video, nothing]), torch.cat([labels, none])


def background_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy where a clip without motion, label 13, has the fixed logit 0.

    So a logit is evidence by itself, not only against its neighbours, and its optimal input shows that.
    """
    return F.cross_entropy(torch.cat([logits, torch.zeros_like(logits[:, :1])], 1), labels)


def stillness_loss(logits: Tensor, video: Tensor, labels: Tensor, slope: float = 80.0) -> Tensor:
    """Ask the logit of still clips to grow with the contrast of the frame averaged over time.

    Stillness is told from little: left alone, its logit is flat above a low contrast, which its optimal input
    then never leaves.
    """
    still = labels == MOTION_LABELS.index("still")
    contrast = video.mean(2).std((2, 3)).mean(1)
    short = F.relu(slope * contrast - logits[:, -1])[still]
    return F.huber_loss(short, torch.zeros_like(short), delta=4.0, reduction="sum") / len(labels)


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

    def __init__(self, recipe: Motion13Recipe, stage: Stage, net: nn.Module) -> None:
        super().__init__()
        self.recipe = recipe
        self.stage, self.net = stage, net
        self.steps = max(1, round(recipe.steps * stage.share))
        self.held_out = held_out_clips(recipe.validation_per_class, recipe.seed)
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
        loss = loss + self.stage.stillness * stillness_loss(logits, video, labels)
        self.log("train_loss", loss)
        moving = labels < len(MOTION_LABELS)
        self.log("train_accuracy", (logits.argmax(1) == labels)[moving].float().mean())
        self.log("learning_rate", rate)
        return loss

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


def fit(recipe: Motion13Recipe, out: Path) -> nn.Module:
    """Train by the recipe; metrics and checkpoints go below `out`; give the network in evaluation mode."""
    torch.manual_seed(recipe.seed)
    net: nn.Module = build_motion13()
    for weight in net.parameters():
        weight.data *= 8**0.5  # what averaging over the eight will take away
    for number, stage in enumerate(recipe.stages, 1):
        folder = out / f"stage-{number}"
        net = add_norms(net) if stage.norms else net
        symmetrize(net)
        task = Motion13Task(recipe, stage, net.train())
        trainer = Trainer(
            accelerator="cpu",
            max_steps=task.steps,
            logger=CSVLogger(folder, name="", version=""),
            callbacks=[ModelCheckpoint(folder, every_n_train_steps=recipe.validate_every)],
            log_every_n_steps=min(50, task.steps),
            gradient_clip_val=1.0,
            enable_model_summary=False,
            enable_progress_bar=False,
        )
        trainer.fit(task, DataLoader(ClipStream(recipe, stage), batch_size=None))
        settle(task.net)
        net = fold_norms(task.net)
    return net
