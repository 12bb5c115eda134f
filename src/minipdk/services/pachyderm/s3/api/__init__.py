"""The S3 protocol over HTTP: one module per noun."""
