"""An atlas as a site to find units in: static files beside the records, read by nothing but a browser."""
