#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "esper/services/ports/kernel_supply.h"
#include "esper/services/urza/library.h"

namespace esper::supply {

/// What a run sees of a library. Of a folder it sees everything at once; of a server, what a thread
/// beside the run has read so far, so that no training step waits for the network.
class LibraryView {
  public:
    /// Needs that nothing is known for, and why nothing may be compiled for them ("": it may).
    using Unknown =
        std::function<void(const std::vector<ports::KernelNeed>& needs, const std::string& cannot)>;

    virtual ~LibraryView() = default;
    /// Hears once, here or on another thread, which of `needs` nothing is known for.
    virtual void look_for(const std::vector<ports::KernelNeed>& needs, Unknown unknown) = 0;
    /// The kernels of the need's branch, and why those are refused that cannot even be read.
    virtual std::vector<Result<urza::KernelRecord>> kernels_for(const ports::KernelNeed& need) = 0;
    /// For a resumed run, before its first step: waits for the library.
    virtual Result<urza::KernelRecord> kernel(const std::string& id) = 0;
    /// Its bundle; of a server's kernel only where kernels_for() or kernel() gave it.
    virtual Result<std::string> bundle(const std::string& id) = 0;
    virtual Status deprecate(const std::string& id, const std::string& reason) = 0;
    virtual const execution::KeyRing& ring() const = 0;
    /// `NUMBER:HASH` of the ledger's last entry, as far as it is known.
    virtual std::string head() = 0;
    virtual std::vector<ports::PastCandidates> past(const std::string& host) = 0;
    /// `watcher` gets the library now and then: here at each refresh(), or on another thread.
    virtual void watch(std::function<void(urza::Library&)> watcher) = 0;
    virtual void refresh() {}
    /// To be asked only where `watcher` or Unknown is called: it may take as long as the network.
    virtual urza::Library& library() = 0;
    /// Why nothing is known of the library now; "" where it answers.
    virtual std::string trouble() { return ""; }
};

/// Opens it. Errors: those of urza::open_library.
Result<std::unique_ptr<LibraryView>> view_of(const std::string& library);

}  // namespace esper::supply
