"""Serving: sources → decode → prepare → session → sinks; `runner` joins them."""
