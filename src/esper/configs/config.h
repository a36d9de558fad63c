#pragma once
// configs: the configuration of a run, read from a YAML file, profiles, the environment and the
// command line, typed and checked.

#include "esper/configs/bus.h"
#include "esper/configs/checkpoint.h"
#include "esper/configs/controller.h"
#include "esper/configs/data.h"
#include "esper/configs/forge.h"
#include "esper/configs/growth.h"
#include "esper/configs/logging.h"
#include "esper/configs/model.h"
#include "esper/configs/optimization.h"
#include "esper/configs/run.h"
#include "esper/configs/services.h"
#include "esper/configs/storage.h"
#include "esper/configs/telemetry.h"

namespace esper::configs {

#define ESPER_CONFIG_KEYS(X)                                                                    \
    X(RunConfig, run, {}, rule::any(), "the run itself")                                        \
    X(ModelConfig, model, {}, rule::any(), "the host network")                                  \
    X(DataConfig, data, {}, rule::any(), "what it learns from")                                 \
    X(OptimizationConfig, optimization, {}, rule::any(), "how its parameters move")             \
    X(GrowthConfig, growth, {}, rule::any(), "how the network grows")                           \
    X(ControllerConfig, controller, {}, rule::any(), "who decides about growth")                \
    X(ForgeConfig, forge, {}, rule::any(), "how kernels are compiled beside a run")             \
    X(CheckpointConfig, checkpoint, {}, rule::any(), "what is saved, and when a run goes back") \
    X(TelemetryConfig, telemetry, {}, rule::any(), "what is measured on the way")               \
    X(LoggingConfig, logging, {}, rule::any(), "what is written down for people")               \
    X(ServicesConfig, services, {}, rule::any(), "the roles as processes of their own")         \
    X(StorageConfig, storage, {}, rule::any(), "where blueprints and kernels are kept")         \
    X(BusConfig, bus, {}, rule::any(), "how the roles talk to each other")

/// The whole configuration. `esper train` without a file reads configs/shakespeare.yaml.
ESPER_CONFIG_SECTION(EsperConfig, ESPER_CONFIG_KEYS)

}  // namespace esper::configs
