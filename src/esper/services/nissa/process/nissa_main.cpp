// esper-nissa: the page about runs as a process of its own, without libtorch. `esper watch` starts
// it; so watching costs a few megabytes and nothing of a trainer's.

#include <sys/prctl.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>

#include "esper/services/nissa/nissa.h"
#include "esper/services/serving/serving_errors.h"

namespace {

struct Manner {
    bool with_parent = false;
    bool or_any_port = false;
};

int serve(esper::nissa::NissaOptions options, const Manner& manner) {
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    // Ctrl-C beside a trainer is for the trainer, which saves a checkpoint before it ends.
    if (manner.with_parent)
        std::signal(SIGINT, SIG_IGN);
    else
        sigaddset(&ends, SIGINT);
    // Before any thread begins, so that none of them takes the signal.
    pthread_sigmask(SIG_BLOCK, &ends, nullptr);
    if (manner.with_parent) prctl(PR_SET_PDEATHSIG, SIGTERM);
    auto nissa = esper::nissa::Nissa::start(options);
    if (!nissa && manner.or_any_port &&
        nissa.error().is(esper::serving::ServingError::kPortInUse)) {
        options.port = 0;
        nissa = esper::nissa::Nissa::start(options);
    }
    if (!nissa) {
        std::fprintf(stderr, "esper: %s\n", nissa.error().to_string().c_str());
        return nissa.error().exit_code();
    }
    std::printf("%s%s\n", manner.with_parent ? "live at " : "", (*nissa)->address().c_str());
    std::fflush(stdout);
    int signal = 0;
    sigwait(&ends, &signal);
    return signal == SIGINT ? 130 : 0;
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app{"the page about runs", "esper watch"};
    esper::nissa::NissaOptions options;
    Manner manner;
    std::vector<std::string> folders;
    app.add_option("runs", folders);
    app.add_option("--host", options.host);
    app.add_option("--port", options.port);
    app.add_option("--name", options.names);
    app.add_flag("--with-parent", manner.with_parent,
                 "end when the process that started this one ends");
    app.add_flag("--or-any-port", manner.or_any_port, "take another port where this one is in use");
    CLI11_PARSE(app, argc, argv);
    options.runs.assign(folders.begin(), folders.end());
    return serve(options, manner);
}
