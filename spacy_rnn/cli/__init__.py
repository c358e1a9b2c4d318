"""The commands of ``python -m spacy rnn``, one module for each.

spaCy imports this package for its own commands too. Modules that are slow to import are therefore
imported where they are used.
"""

import typer
from spacy.cli import app

from .agreement import agreement_cli
from .apply import apply_cli
from .apply_ray import apply_ray_cli
from .attention import attention_cli
from .compress import compress_cli
from .convert import convert_cli
from .distill import distill_cli
from .evaluate import evaluate_cli
from .generate import generate_cli
from .gradients import gradients_cli
from .init_config import init_config_cli
from .inspect import inspect_cli
from .io import Commands
from .memory import memory_cli
from .package import package_cli
from .saliency import saliency_cli
from .select import select_cli
from .serve import serve_cli
from .states import states_cli
from .suggest import suggest_cli
from .threshold import threshold_cli
from .train import train_cli
from .verify import verify_cli

#: options that a command does not have override settings of the config
WITH_OVERRIDES = {"allow_extra_args": True, "ignore_unknown_options": True}

rnn_cli = typer.Typer(
    name="rnn",
    cls=Commands,
    help="Convert and choose data, create configs, train, distill, evaluate, apply, serve, "
    "explain, compress, package and verify pipelines.",
    no_args_is_help=True,
)
rnn_cli.command("agreement")(agreement_cli)
rnn_cli.command("apply")(apply_cli)
rnn_cli.command("apply-ray")(apply_ray_cli)
rnn_cli.command("attention")(attention_cli)
rnn_cli.command("compress")(compress_cli)
rnn_cli.command("convert")(convert_cli)
rnn_cli.command("distill", context_settings=WITH_OVERRIDES)(distill_cli)
rnn_cli.command("evaluate")(evaluate_cli)
rnn_cli.command("generate")(generate_cli)
rnn_cli.command("gradients")(gradients_cli)
rnn_cli.command("init-config")(init_config_cli)
rnn_cli.command("inspect", context_settings=WITH_OVERRIDES)(inspect_cli)
rnn_cli.command("memory")(memory_cli)
rnn_cli.command("package")(package_cli)
rnn_cli.command("saliency")(saliency_cli)
rnn_cli.command("select")(select_cli)
rnn_cli.command("serve")(serve_cli)
rnn_cli.command("states")(states_cli)
rnn_cli.command("suggest")(suggest_cli)
rnn_cli.command("threshold")(threshold_cli)
rnn_cli.command("train", context_settings=WITH_OVERRIDES)(train_cli)
rnn_cli.command("verify")(verify_cli)

app.add_typer(rnn_cli)
