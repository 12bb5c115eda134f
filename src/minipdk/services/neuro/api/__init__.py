"""The platform's protocol over HTTP, one module for each noun."""
