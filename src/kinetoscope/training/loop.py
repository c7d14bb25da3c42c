"""What Lightning runs to train a network by a recipe; imports Lightning, so import this file late."""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from lightning import LightningModule, Trainer
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

from ..card import card_of
from ..errors import ModelUnusable
from ..files import write_bytes_atomically
from ..schedule import cosine
from ..tconv.layer import IDENTITY, Conv3T
from ..types import VideoBatch
from .checkpoint import save_last
from .recipes import Recipe
from .samples import Batch, Data, EpochSampler, collate, generator_for
from .table import COLUMNS, Row, best_of, write_rows

AUXILIARY = 0.3
"""Weight of the losses of auxiliary heads (Szegedy et al. 2015, section 5)."""


class Task(LightningModule):
    """A network, its clips and its losses; keeps the table of epochs and writes what a run leaves.

    Files are written when an epoch ends, `last.ckpt` last: what stands in it a killed run goes on from.
    """

    def __init__(
        self, network: nn.Module, data: Data, recipe: Recipe, out: Path, note: Callable[[str], None]
    ) -> None:
        super().__init__()
        self.network, self.data, self.recipe, self.out, self.note = network, data, recipe, out, note
        self.card = card_of(network)
        self.rows: list[Row] = []
        self.faults: list[str] = []
        self.progress: Callable[[int, int], None] = lambda step, steps: None
        self.began = time.monotonic()

    def train_dataloader(self) -> DataLoader[Batch]:
        """Batches of an epoch, for this device."""
        sampler = EpochSampler(
            len(self.data.train),
            self.recipe.data.clips or len(self.data.train),
            self.recipe.seed,
            self.trainer.global_rank,
            self.trainer.world_size,
        )
        # a short last batch would weigh its clips more, and batch norm cannot take a single one
        whole = len(sampler) >= self.recipe.training.batch
        return self._loader(self.data.train, sampler=sampler, drop_last=whole)

    def val_dataloader(self) -> DataLoader[Batch]:
        """All validation clips, shared among the devices."""
        mine = range(self.trainer.global_rank, len(self.data.validation), self.trainer.world_size)
        return self._loader(self.data.validation, sampler=[(0, index) for index in mine])

    def _loader(self, data: Any, **options: Any) -> DataLoader[Batch]:
        loop = self.recipe.training
        return DataLoader(
            data,
            batch_size=loop.batch,
            collate_fn=collate,
            num_workers=loop.workers,
            persistent_workers=loop.workers > 0,
            generator=torch.Generator(),  # the loader's own draws leave the network's alone
            **options,
        )

    def configure_optimizers(self) -> Any:
        """AdamW. A trajectory is not decayed: its rest is no zero."""
        loop = self.recipe.training
        groups: dict[str, list[nn.Parameter]] = {"matrices": [], "trajectories": [], "others": []}
        for path, weight in self.network.named_parameters():
            layer, _, name = path.rpartition(".")
            moving = name in IDENTITY and isinstance(self.network.get_submodule(layer), Conv3T)
            kind = "trajectories" if moving else "matrices" if weight.ndim > 1 else "others"
            groups[kind].append(weight)
        rates = {"trajectories": loop.learning_rate * loop.trajectory_rate}
        decays = {"matrices": loop.weight_decay}
        optimizer = torch.optim.AdamW(
            [
                {
                    "params": weights,
                    "lr": rates.get(kind, loop.learning_rate),
                    "weight_decay": decays.get(kind, 0.0),
                }
                for kind, weights in groups.items()
                if weights
            ]
        )
        steps = max(1, int(self.trainer.estimated_stepping_batches))
        rising = max(1, round(loop.warmup * steps))

        def rate(step: int) -> float:
            return min(1.0, (step + 1) / rising) * cosine(min(step, steps), steps)

        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def on_train_epoch_start(self) -> None:
        """Draw what the network itself draws (dropout) from the epoch, as a run taken up again does."""
        key = ("network", self.recipe.seed, self.current_epoch, self.trainer.global_rank)
        torch.manual_seed(generator_for(*key).initial_seed())
        self.sums = torch.zeros(3, dtype=torch.float64)

    def training_step(self, batch: Batch, index: int) -> Tensor:
        """The loss of one batch."""
        outputs = self._outputs(batch.clips)
        losses = [F.cross_entropy(logits, batch.labels) for logits in outputs]
        loss = losses[-1] + AUXILIARY * sum(losses[:-1])
        if not bool(torch.isfinite(loss)):
            raise ModelUnusable(
                f"the loss is {loss.item()} at step {self.global_step}; lower training.learning_rate"
            )
        self._count(batch, outputs[-1])
        return loss

    def on_train_batch_end(self, *_: Any) -> None:
        """Tell how far the run is."""
        if self.trainer.is_global_zero:
            self.progress(self.global_step, int(self.trainer.estimated_stepping_batches))

    def on_validation_epoch_start(self) -> None:
        """Put the training's sums aside and start anew."""
        self.train_sums, self.sums = self.sums, torch.zeros(3, dtype=torch.float64)

    def validation_step(self, batch: Batch, index: int) -> None:
        """Count how many clips are named rightly."""
        if len(batch.labels):
            self._count(batch, self._outputs(batch.clips)[-1])
        else:
            self._report(batch.faults)

    def on_train_epoch_end(self) -> None:
        """Close the epoch: a row, the best network, and the checkpoint to go on from."""
        shares = []
        for sums in (self.train_sums, self.sums):
            total: Any = self.trainer.strategy.reduce(sums.float().to(self.device), reduce_op="sum")
            loss, right, count = total.tolist()
            shares += [loss / max(count, 1), right / max(count, 1)]
        self._share_faults()
        rate = self.trainer.optimizers[0].param_groups[0]["lr"]
        seconds = time.monotonic() - self.began
        self.began = time.monotonic()
        numbers = (self.current_epoch + 1, self.global_step, rate, *shares, len(self.faults), seconds)
        self.rows.append(dict(zip(COLUMNS, numbers, strict=True)))
        row, best = self.rows[-1], best_of(self.rows)
        if self.trainer.is_global_zero:
            if best is row:
                state = {
                    k: v.detach().cpu().contiguous().clone() for k, v in self.network.state_dict().items()
                }
                write_bytes_atomically(self.out / "best.safetensors", save(state))
            write_rows(self.out / "metrics.csv", self.rows)
        save_last(self.out, self.trainer.save_checkpoint, self.trainer.is_global_zero)
        patience = self.recipe.training.patience
        if patience and row["epoch"] - best["epoch"] >= patience:
            self.trainer.should_stop = True
        if self.trainer.is_global_zero:
            self.note(
                f"epoch {row['epoch']} of {self.recipe.training.epochs}: "
                f"training loss {row['train_loss']:.3f}, accuracy {row['train_accuracy']:.3f}; "
                f"validation loss {row['validation_loss']:.3f}, accuracy {row['validation_accuracy']:.3f}"
                + (f"; {len(self.faults)} unreadable videos so far" if self.faults else "")
            )

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the table with the weights, so that both are of the same epoch."""
        checkpoint["rows"], checkpoint["faults"] = list(self.rows), list(self.faults)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take the table up again."""
        self.rows, self.faults = checkpoint["rows"], checkpoint["faults"]

    def _outputs(self, clips: VideoBatch) -> tuple[Tensor, ...]:
        """Logits of the auxiliary heads, if any, then the network's own."""
        return outputs_of(self.network, as_input(clips, self.network), len(self.data.class_names))

    def _count(self, batch: Batch, logits: Tensor) -> None:
        loss = F.cross_entropy(logits.detach().float(), batch.labels, reduction="sum")
        right = (logits.argmax(1) == batch.labels).sum()
        self.sums += torch.tensor([float(loss), float(right), len(batch.labels)])
        self._report(batch.faults)

    def _share_faults(self) -> None:
        """Let each device know what the others could not read."""
        if self.trainer.world_size > 1:
            lists: list[list[str]] = [[]] * self.trainer.world_size
            torch.distributed.all_gather_object(lists, self.faults)
            self.faults = list(dict.fromkeys(fault for part in lists for fault in part))

    def _report(self, faults: tuple[str, ...]) -> None:
        for fault in faults:
            if fault not in self.faults:
                self.faults.append(fault)
                self.note(f"left out: {fault}")


def as_input(clips: VideoBatch, network: nn.Module) -> Float[Tensor, "batch _ time height width"]:
    """Clips (B, 3, T, H, W) in [0, 1] as the network's card wants them."""
    card = card_of(network)
    return card.normalize(clips.mean(1, keepdim=True) if card.channels == 1 else clips)


def outputs_of(network: nn.Module, clips: VideoBatch, classes: int) -> tuple[Tensor, ...]:
    """Logits (B, classes) of the auxiliary heads, if any, then the network's own.

    Raises:
        ModelUnusable: it gives something else.
    """
    given = network(clips)
    outputs = tuple(given) if isinstance(given, (tuple, list)) else (given,)
    shapes = [tuple(o.shape) if isinstance(o, Tensor) else type(o).__name__ for o in outputs]
    wanted = (len(clips), classes)
    if not outputs or any(shape != wanted for shape in shapes):
        raise ModelUnusable(
            f"{type(network).__name__} gives {', '.join(map(str, shapes))} where {wanted} is wanted, a logit "
            f"for each of {classes} classes; let its factory make as many outputs"
        )
    return outputs


def fit(
    task: Task,
    *,
    device: str,
    devices: int,
    resume: Path | None,
    progress: Callable[[int, int], None],
) -> None:
    """Run the loop to its end, from the beginning or from a checkpoint, which is read as plain tensors."""
    loop = task.recipe.training
    task.progress = progress
    kind, _, number = device.partition(":")
    for part in ("pytorch", "fabric"):  # they tell of devices and offer services
        logging.getLogger(f"lightning.{part}").setLevel(logging.ERROR)
    trainer = Trainer(
        accelerator=kind,
        devices=[int(number)] if number else devices,
        strategy="ddp" if devices > 1 else "auto",
        precision="bf16-mixed" if loop.precision == "bf16" else "32-true",
        max_epochs=loop.epochs,
        gradient_clip_val=loop.clip_gradient or None,
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(task, ckpt_path=resume, weights_only=True)
