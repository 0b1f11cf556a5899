"""The Fashion-MNIST files: fetching them, finding them, reading them, writing them as pictures."""
