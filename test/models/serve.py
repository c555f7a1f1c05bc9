"""Serves a GGUF model with llama.cpp on a free port of loopback, and says where.

    serve.py MODEL [KEY]
"""
import socket
import sys
import threading

import xllamacpp

with socket.socket() as s:
    s.bind(("127.0.0.1", 0))
    port = s.getsockname()[1]
params = xllamacpp.CommonParams()
params.model.path, params.port, params.hostnames = sys.argv[1], port, ["127.0.0.1"]
params.n_ctx, params.n_parallel, params.cpuparams.n_threads = 4096, 2, 2  # two slots of 2048 tokens
params.model_alias, params.use_jinja = {"tiny"}, True
params.api_keys = sys.argv[2:]
server = xllamacpp.Server(params)
print("http://127.0.0.1:%d/v1" % port, flush=True)
threading.Event().wait()
