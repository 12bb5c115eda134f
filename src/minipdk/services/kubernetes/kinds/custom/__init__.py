"""Custom kinds, of KServe, Knative and Seldon, which a real cluster adds by CustomResourceDefinitions."""
