"""Truth: clips and kernels whose motion is known, to test what is recovered."""
