"""Where in the model: its layers, their units, and the tap that runs it up to one of them."""
