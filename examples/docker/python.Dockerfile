# The example hello.py. Build it from the folder examples, as README.md shows.
FROM python:3.13-slim
ARG VERSION="0.1.0"
RUN pip install --no-cache-dir pipevideo=="$VERSION" \
    && useradd --uid 1000 --create-home --home-dir /videos videos
COPY python/hello.py /app/
USER 1000
WORKDIR /videos
CMD ["python", "/app/hello.py"]
