# One image for the worker, the producer and every other command; docker-compose.yml says which runs where.
FROM python:3.11.11-slim-bookworm

ENV PYTHONUNBUFFERED=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1

# nobody in here needs to be root
RUN useradd --create-home --uid 10001 trendloom
WORKDIR /srv/trendloom

COPY pyproject.toml requirements.lock README.md LICENSE ./
COPY agents agents
COPY config config
COPY dashboard dashboard
COPY evaluation evaluation
COPY finder finder
COPY launch launch
COPY models models
COPY producers producers
COPY trendloom trendloom
COPY webpage webpage
RUN pip install -c requirements.lock '.[dashboard,fast]'

USER trendloom
WORKDIR /home/trendloom
# kernels are compiled here, by the user who will read them, not when the first purchase waits
RUN python -m trendloom.refresh.compile_ahead
STOPSIGNAL SIGTERM
ENTRYPOINT ["trendloom"]
CMD ["--help"]
