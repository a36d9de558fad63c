// esper-nissa: the page about runs as a process of its own, without libtorch. `esper watch` starts
// it; so watching costs a few megabytes and nothing of a trainer's.

#include <sys/prctl.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <optional>
#include <string>

#include "esper/base/clock.h"
#include "esper/configs/duration.h"
#include "esper/services/nissa/nissa.h"
#include "esper/services/nissa/run_figures.h"
#include "esper/services/serving/serving_errors.h"

namespace {

struct Manner {
    bool with_parent = false;
    bool or_any_port = false;
    bool print_rules = false;
    std::optional<std::string> share;
};

bool is_loopback(const std::string& host) {
    return host == "localhost" || host == "::1" || host.starts_with("127.");
}

// The address alone stands on standard output, so that scripts can take it from there.
void say_links(const esper::nissa::Nissa& nissa, const std::string& host) {
    const auto& tokens = nissa.tokens();
    const auto address = nissa.address();
    if (tokens.allows_actions())
        std::fprintf(stderr, "with actions: %s/#token=%s\n", address.c_str(),
                     tokens.for_actions().c_str());
    if (tokens.asks_for_a_token())
        std::fprintf(stderr, "to look, until %s: %s/#token=%s\n",
                     esper::iso8601(*tokens.ends_ns()).c_str(), address.c_str(),
                     tokens.for_looking().c_str());
    else if (!is_loopback(host))
        std::fprintf(stderr,
                     "esper: everybody who reaches %s sees the runs; --share 8h makes a link "
                     "without which nobody does\n",
                     address.c_str());
}

bool take_share(const std::string& text, esper::nissa::LinkTokens::Options& links) {
    const auto duration = esper::configs::Duration::parse(text);
    const auto seconds = duration ? duration->in_seconds() : std::nullopt;
    if (!seconds || !(*seconds > 0) || *seconds > 365.0 * 86400) {
        std::fprintf(stderr,
                     "esper: --share takes how long the link is good for, e.g. 30m, 8h or 7d, and "
                     "at most 365d; got '%s'\n",
                     text.c_str());
        return false;
    }
    links.share_ns = static_cast<std::int64_t>(*seconds * 1e9);
    return true;
}

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
    say_links(**nissa, options.host);
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
    app.add_flag("--allow-actions", options.links.actions);
    app.add_option("--share", manner.share);
    app.add_flag("--print-rules", manner.print_rules);
    CLI11_PARSE(app, argc, argv);
    if (manner.print_rules) {
        std::fputs(esper::nissa::prometheus_rules().c_str(), stdout);
        if (std::fflush(stdout) == 0) return 0;
        std::fputs("esper: standard output could not be written\n", stderr);
        return 1;
    }
    if (manner.share && !take_share(*manner.share, options.links)) return 2;
    options.runs.assign(folders.begin(), folders.end());
    return serve(options, manner);
}
