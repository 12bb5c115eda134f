# sklearnserver: answers requests with the model that is mounted at MODEL_DIR.
FROM python:3.11-slim

ENV MODEL_NAME=sklearnserver
ENV HTTP_PORT=8080
ENV GRPC_PORT=8081
ENV MODEL_DIR=/mnt/models
ENV HOST=0.0.0.0
ENV PYTHONUNBUFFERED=1

WORKDIR /workdir

COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt

COPY sklearnserver sklearnserver
COPY run_sklearnserver /usr/local/bin/

ENTRYPOINT ["run_sklearnserver"]
