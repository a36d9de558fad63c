#pragma once

#include <functional>
#include <memory>

#include "esper/services/nissa/kernel_shelf.h"
#include "esper/services/nissa/link_tokens.h"
#include "esper/services/nissa/run_index.h"
#include "esper/services/serving/event_channel.h"
#include "esper/services/serving/router.h"

namespace esper::nissa {

/// What the runs that were read may hold in memory.
constexpr std::size_t kMostMemory = std::size_t{64} << 20;

/// Adds what a page or a script asks (docs/watch.md): the list of runs, a run, its curves, its
/// growth, its events, the settings of all, and `events` as a stream of what changes; what `shelf`
/// says of kernels, where there is one; and, for whom `tokens` lets, POST `actions` to ask
/// something of a run (records::ControlAction). All else only reads.
void add_routes(serving::Router& router, const std::shared_ptr<RunIndex>& index,
                const std::shared_ptr<serving::EventChannel>& events,
                const std::shared_ptr<const LinkTokens>& tokens = std::make_shared<LinkTokens>(),
                const std::shared_ptr<const KernelShelf>& shelf = nullptr);

/// Adds the page.
void add_page(serving::Router& router);

}  // namespace esper::nissa
