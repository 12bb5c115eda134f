"""The ingress: Envoy, the data plane of Istio, told which Backends answer for which InferenceService.

`routes` is the table that the controllers keep; `config` says it in Envoy's words, `bootstrap` what Envoy starts with,
`replies` what it answers by itself and `origins` whom it refuses; `process` keeps it running, `admin` asks how it is,
`gateway` publishes the table and knows when it is in force; `counts` reads what was asked and answered.
"""
