"""Clips, textures and networks made by rule, so that their motion is known."""
