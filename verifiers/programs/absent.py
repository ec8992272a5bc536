"""Well-known packages that the sandbox's image lacks: a program that imports one is not wrong, it was not run.

A package that nobody knows stays an error of the program: models invent some.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from tracemill.core import Cause
from verifiers.programs.results import CaseResult, Code

if TYPE_CHECKING:
    from collections.abc import Iterable

_MISSING: Final = re.compile(r"ModuleNotFoundError: No module named '([\w.]+)'")
# What BigCodeBench's and DS-1000's tasks import, and the packages that are most downloaded beside them.
_KNOWN_TEXT: Final = """
Crypto Levenshtein OpenSSL PIL aiofiles aiohttp altair apscheduler arrow attr blake3 bokeh boto3 botocore bs4
cachetools catboost celery chardet click colorama cryptography cupy cv2 cvxpy dash dask dateutil django docx dotenv
emoji eventlet faker fastapi feedparser filelock flask flask_login flask_mail flask_restful flask_wtf folium fsspec
fuzzywuzzy gensim geopandas geopy gevent google grpc gym gymnasium h5py holidays httplib2 httpx imageio imblearn jax
jinja2 joblib jsonschema jwt keras kiwisolver langdetect librosa lightgbm lxml markdown markupsafe marshmallow
matplotlib mechanize mpmath msgpack multidict mypy mysql natsort nltk numba numexpr odf openai opencv openpyxl
optuna orjson paho paramiko passlib patsy pendulum pexpect pika plotly polars prettytable prophet psutil psycopg2
pulp pyarrow pyasn1 pycryptodome pydantic pydot pyfakefs pygame pygments pymongo pymysql pynput pyparsing pyperclip
pyquery pytesseract python_http_client pytz pytz_deprecation_shim rapidfuzz redis regex reportlab requests
requests_mock responses rich rsa scrapy seaborn selenium sendgrid serial shap shapely skimage sklearn soundfile
spacy sqlalchemy starlette statsmodels tabulate tenacity tensorflow termcolor textblob texttable threadpoolctl timm
toml tomli toolz torch torchvision tornado tqdm transformers treelib trio twisted typer tzlocal ujson unidecode
urllib3 uvicorn validators websocket websockets werkzeug wikipedia wordcloud wordninja wtforms xgboost xlrd
xlsxwriter xlwt xmltodict yaml yarl zmq zope
"""
KNOWN: Final = frozenset(_KNOWN_TEXT.split())


def unless_absent(results: Iterable[CaseResult]) -> list[CaseResult]:
    """Return the results, with those for want of a well-known package as our limit, naming it."""
    return [_unless_absent(result) for result in results]


def _unless_absent(result: CaseResult) -> CaseResult:
    if result.code not in {Code.RE, Code.WA, Code.IE}:
        return result
    missing = _MISSING.search(result.detail)
    package = missing.group(1).partition(".")[0] if missing else ""
    if package not in KNOWN:
        return result
    why = f"the sandbox has no package {package!r}"
    return replace(result, code=Code.IE, detail=why, cause=Cause.VERIFIER)
