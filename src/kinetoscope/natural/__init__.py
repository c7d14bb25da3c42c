"""How an optimal input lies among natural clips: response, statistics, way through the network."""
