"""Arrays to pictures, films and pages; knows nothing of models."""
