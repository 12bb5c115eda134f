"""The ingress: which Backends answer for which InferenceService (`routes`), and the proxy that sends requests there."""
