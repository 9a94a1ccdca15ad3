# syntax=docker/dockerfile:1
# Streamgauge's image: the locked dependencies, the wheel of this source, and nothing else; runs as a plain user.

FROM python:3.12-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
COPY requirements requirements
RUN python -m venv /opt/build \
 && /opt/build/bin/pip install --no-cache-dir --require-hashes -r requirements/build.lock \
 && python -m venv /opt/streamgauge \
 && /opt/streamgauge/bin/pip install --no-cache-dir --require-hashes -r requirements/runtime.lock
COPY pyproject.toml README.md LICENSE ./
COPY detectors detectors
COPY stream stream
COPY docs docs
RUN /opt/build/bin/python -m hatchling build -t wheel -d /tmp/dist \
 && /opt/streamgauge/bin/pip install --no-cache-dir --no-index --no-deps /tmp/dist/*.whl

FROM python:3.12-slim-bookworm
LABEL org.opencontainers.image.title="streamgauge" \
      org.opencontainers.image.description="Streaming anomaly detector for data pipelines" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN useradd --system --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin streamgauge
COPY --from=build /opt/streamgauge /opt/streamgauge
# Compiled kernels go where a plain user may write, also when the root file system is read-only.
ENV PATH=/opt/streamgauge/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 NUMBA_CACHE_DIR=/tmp/numba
USER 10001:10001
WORKDIR /tmp
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=90s --retries=3 \
  CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8080/healthz', timeout=4)"]
ENTRYPOINT ["streamgauge"]
CMD ["run", "--http-port", "8080"]
