"""What can be visualised: registered models, torchvision's, and the user's own, each with its card."""
