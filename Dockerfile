# syntax=docker/dockerfile:1
# Ringpost in a container. Build: docker build -t ringpost .

FROM python:3.13-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /build
RUN python -m venv /opt/ringpost
COPY requirements/telemetry.lock requirements/telemetry.lock
RUN /opt/ringpost/bin/pip install --require-hashes --only-binary :all: -r requirements/telemetry.lock
COPY requirements/build.lock requirements/build.lock
COPY pyproject.toml README.md LICENSE ./
COPY src src
# The build backend is locked too, in a venv of its own that stays behind in this stage.
RUN python -m venv /opt/build \
 && /opt/build/bin/pip install --require-hashes --only-binary :all: -r requirements/build.lock \
 && /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
 && /opt/ringpost/bin/pip install --no-deps --no-index /wheels/*.whl \
 && /opt/ringpost/bin/python -m compileall -q /opt/ringpost/lib

FROM python:3.13-slim-bookworm
RUN groupadd --system --gid 10001 ringpost \
 && useradd --system --uid 10001 --gid ringpost --no-create-home --home-dir /nonexistent ringpost \
 && install -d -o ringpost -g ringpost -m 0700 /var/lib/ringpost
COPY --from=build /opt/ringpost /opt/ringpost
ENV PATH=/opt/ringpost/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    RINGPOST_DATA_DIR=/var/lib/ringpost \
    RINGPOST_HOST=0.0.0.0 \
    RINGPOST_LOG_FORMAT=json \
    RINGPOST_METRICS_HOST=0.0.0.0
# Nothing is written outside the volume, so the root file system may be read-only.
WORKDIR /var/lib/ringpost
VOLUME /var/lib/ringpost
USER 10001:10001
EXPOSE 8025
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request as web; web.urlopen('http://127.0.0.1:8025/healthz', timeout=4)"]
ENTRYPOINT ["ringpost"]
CMD ["serve"]
