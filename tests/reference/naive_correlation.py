"""Sliding a 3D kernel over a clip the slow, obvious way."""

import torch


def naive_correlation(clip: torch.Tensor, kernels: torch.Tensor) -> torch.Tensor:
    """(T, C, H, W) through (N, C, D, h, w): (N, T - D + 1, H - h + 1, W - w + 1), no padding."""
    depth, rows, columns = kernels.shape[2:]
    time, height, width = clip.shape[0] - depth + 1, clip.shape[2] - rows + 1, clip.shape[3] - columns + 1
    maps = clip.new_zeros(len(kernels), time, height, width)
    for t in range(time):
        for y in range(height):
            for x in range(width):
                patch = clip[t : t + depth, :, y : y + rows, x : x + columns].transpose(0, 1)
                for n, kernel in enumerate(kernels):
                    maps[n, t, y, x] = (patch * kernel).sum()
    return maps
