"""Reading clips: films, animations, folders of frames and arrays, as players show them."""
