"""The models: one literal registry and one file per model."""
