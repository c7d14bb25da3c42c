"""Decompose optimal videos of published networks, beside what their published code reaches.

    python benchmarks/published_videos.py FOLDER [--json FILE]

FOLDER holds the videos (default: `optimal_videos` in KINETOSCOPE_DATA).
"""

import argparse
import json
import os
import statistics
from pathlib import Path

import kinetoscope as ks
from kinetoscope.motion.metrics import roughness
from kinetoscope.motion.summary import summarize

# the published code on these videos, 2000 steps: PSNR (dB), displacement TV, static PSNR (dB)
PUBLISHED = {
    "c3d_conv1_f4": (16.0, 0.106, 19.3),
    "c3d_conv2_f0": (18.7, 0.091, 14.7),
    "c3d_conv3_f5": (11.3, 0.172, 8.6),
    "c3d_conv4_f2": (11.2, 0.183, 8.8),
    "c3d_conv5_f3": (13.6, 0.113, 10.4),
    "i3d_stage1_f8": (25.4, 0.070, 28.6),
    "i3d_stage2_f3": (22.3, 0.067, 16.9),
    "i3d_stage3_f1": (16.3, 0.081, 12.3),
    "i3d_stage4_f0": (17.2, 0.080, 14.2),
    "i3d_stage5_f1": (18.5, 0.070, 15.3),
    "vqvae_conv0_f0": (27.0, 0.069, 31.3),
    "vqvae_block3_f3": (16.8, 0.101, 12.7),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = Path(os.environ.get("KINETOSCOPE_DATA", "data")) / "optimal_videos"
    parser.add_argument("folder", type=Path, nargs="?", default=default)
    parser.add_argument("--json", type=Path, help="write the rows here")
    options = parser.parse_args()
    rows = []
    print(
        "video              PSNR (gain), one texture  TV (ratio)     texture/frames  keys, lifetime  carried "
        "coherent light jitter residual  label  seconds"
    )
    for name, (psnr, rough, static) in PUBLISHED.items():
        video = ks.read_video(options.folder / f"{name}.webp")
        found = ks.decompose(video)
        shares = found.variance_explained
        frames = statistics.median(roughness(frame) for frame in video)
        row = {
            "video": name,
            "psnr_db": found.psnr_db,
            "gain_db": found.psnr_db - psnr,
            "displacement_tv": found.displacement_tv,
            "tv_ratio": found.displacement_tv / rough,
            "static_psnr_db": found.static_psnr_db,
            "static_gain_db": found.static_psnr_db - static,
            "single_psnr_db": found.single_psnr_db,
            "texture_roughness": max(map(roughness, found.textures)) / frames,
            "keys": len(found.textures),
            "lifetime": found.texture_lifetime_frames,
            "carried": found.carried,
            "label": summarize(found).label,
            **shares,
            "seconds": found.seconds,
        }
        rows.append(row)
        psnr_text = f"{found.psnr_db:4.1f} ({row['gain_db']:+5.1f})"
        roughness_text = f"{found.displacement_tv:.4f} ({row['tv_ratio']:.2f})"
        shares_text = "  ".join(f"{share:.2f}" for share in shares.values())
        print(
            f"{name:17}  {psnr_text}  {found.single_psnr_db:4.1f}  {roughness_text}  "
            f"{row['texture_roughness']:.2f}  {row['keys']}  {row['lifetime']:4.1f}  {found.carried:.2f} "
            f"{shares_text}  {row['label']}  {found.seconds:.1f} s",
            flush=True,
        )
    gains = [row["gain_db"] for row in rows]
    print(f"gain: mean {statistics.mean(gains):.1f} dB, least {min(gains):.1f} dB")
    print(f"roughness: at most {max(row['tv_ratio'] for row in rows):.2f} of theirs")
    print(f"textures: at most {max(row['texture_roughness'] for row in rows):.2f} of the frames' roughness")
    print(f"static PSNR: mean {statistics.mean(row['static_psnr_db'] for row in rows):.1f} dB,", end=" ")
    print(f"theirs {statistics.mean(static for _, _, static in PUBLISHED.values()):.1f} dB")
    print(f"seconds: at most {max(row['seconds'] for row in rows):.1f}")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
