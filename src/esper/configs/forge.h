#pragma once

#include "esper/configs/section.h"

namespace esper::configs {

#define ESPER_SANDBOX_WISHES(X) \
    X(kPrefer, 0, "prefer") X(kRequire, 1, "require") X(kBubblewrap, 2, "bubblewrap")
ESPER_CONTRACT_ENUM(SandboxWish, ESPER_SANDBOX_WISHES)

#define ESPER_FORGE_PLACES(X) X(kRun, 0, "run") X(kWorkers, 1, "workers")
ESPER_CONTRACT_ENUM(ForgePlace, ESPER_FORGE_PLACES)

#define ESPER_FORGE_KEYS(X)                                                                      \
    X(SandboxWish, sandbox, SandboxWish::kPrefer, rule::any(),                                   \
      "require: compile nothing where compiler and kernel cannot be jailed (level 2, see esper " \
      "doctor); bubblewrap: nor where the compiler cannot have namespaces of its own (level 3)") \
    X(ForgePlace, by, ForgePlace::kRun, rule::any(),                                             \
      "who compiles: run, a process beside the run; workers, those that serve the library "      \
      "(esper forge --worker)")                                                                  \
    X(int, priority, 19, rule::within(0, 19),                                                    \
      "nice value of the process that compiles beside a run; 0: as much as the run has")
ESPER_CONFIG_SECTION(ForgeConfig, ESPER_FORGE_KEYS)

}  // namespace esper::configs
