#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "esper/execution/kernels/trust/key_folder.h"
#include "esper/services/urza/library.h"
#include "esper/services/urza/remote_client.h"

namespace esper::urza {

/// The library behind a server (`esper urza serve`), for machines that share it. Nothing that the
/// server says is believed for itself: a blueprint must be the Program that its id is the hash of,
/// a kernel's parts must be about one kernel, what is offered must carry both seals of keys in this
/// user's own ring, an object must have its manifest's digest, and the ledger's head its seal.
/// Errors besides those of Library: kUnreachable, kDenied, kBadAnswer. Starts no threads.
class RemoteLibrary final : public Library, public WorkQueue {
  public:
    struct Options {
        Patience patience = {};
        std::function<bool()> give_up = {};  ///< ends what waits for the server
        bool to_look_at = false;             ///< every change is refused
    };
    /// Asks the server nothing yet. Errors: those of server_address(), and of KeyFolder::ring.
    static Result<std::unique_ptr<RemoteLibrary>> open(const std::string& url, Options options);
    static Result<std::unique_ptr<RemoteLibrary>> open(const std::string& url) {
        return open(url, Options());
    }
    RemoteLibrary(ServerAddress address, execution::KeyRing ring, Options options);

    Result<std::string> add_blueprint(const contracts::BlueprintSubmission& submission) override;
    Result<contracts::Blueprint> blueprint(std::string_view id) override;
    Result<std::vector<contracts::Blueprint>> blueprints(const PageOf& page) override;
    /// The server sees the caller's role; an actor that is the forge or the library is named to it.
    Status set_blueprint_status(std::string_view id, contracts::BlueprintStatus to,
                                const contracts::Actor& actor) override;
    Result<std::string> add_kernel(NewKernel kernel) override;
    Status add_verdict(std::string_view kernel, std::string verdict, execution::Seal seal,
                       std::string report) override;
    Result<KernelRecord> kernel(std::string_view id) override;
    Result<std::vector<KernelRecord>> kernels(const PageOf& page) override;
    Result<std::vector<KernelRecord>> offers(const KernelAsk& ask) override;
    Result<contracts::KernelQueryResult> query(const contracts::KernelQuery& query) override;
    Result<std::string> fetch(std::string_view id) override;
    Status deprecate(std::string_view id, const contracts::Actor& actor,
                     std::string_view reason) override;
    Result<std::vector<Reason>> why(std::string_view id,
                                    const std::optional<KernelAsk>& ask) override;
    Result<bool> file_run(const FieldRun& run) override;
    Result<std::vector<FiledReport>> reports(std::string_view blueprint) override;
    Result<std::vector<MeasuredCandidates>> measured_candidates() override;
    Result<std::vector<LedgerEntry>> ledger(std::uint64_t after, std::uint32_t limit) override;
    Result<LedgerHead> head() override;
    /// Checks the ledger, each blueprint and each kernel with its object, which it reads over the
    /// network. What runs reported is for the server's own `verify`.
    Result<std::vector<Error>> verify(const std::optional<LedgerHead>& remembered) override;
    Result<Collected> collect(const Retention& retention) override;
    /// Asks the server for the token's role, once. Errors: kReadOnly for a token that may add no
    /// kernels; kUnreachable, kDenied.
    WorkQueue& work() override { return *this; }
    Status may_change() const override;
    const execution::KeyRing& ring() const override { return ring_; }

    Result<std::string> order(const NewWork& work) override;
    Result<std::optional<Claim>> claim(std::string_view hardware, std::string_view worker,
                                       std::chrono::milliseconds lease) override;
    Status extend(const Claim& claim, std::chrono::milliseconds lease) override;
    Status finish(const Claim& claim, std::string_view result) override;
    Status attempt_failed(const Claim& claim, std::string_view error) override;
    Status hand_back(const Claim& claim) override;
    Result<std::vector<WorkRow>> work(std::optional<WorkState> state, std::string_view after,
                                      std::uint32_t limit) override;
    Result<WorkRow> work_of(std::string_view id) override;
    /// The server knows who asks by the token.
    Status retry(std::string_view id, std::string_view actor) override;

  private:
    struct Digests;
    Status verify_blueprints(const Digests& digests, std::vector<Error>& wrong);
    Status verify_kernels(const Digests& digests, std::vector<Error>& wrong);
    Status verify_kernel(const Digests& digests, const KernelRecord& record);
    Result<std::vector<Error>> verify_up_to(const LedgerHead& head,
                                            const std::optional<LedgerHead>& remembered);
    Status refuse_looking() const;
    Status progress(const Claim& claim, const char* what, std::string_view said,
                    std::chrono::milliseconds lease);
    Result<std::string> change(const std::string& target, std::string_view json, bool* repeated);

    mutable RemoteClient client_;
    execution::KeyRing ring_;
    const bool to_look_at_;
    mutable std::mutex mutex_;
    mutable std::optional<Status> may_change_;
};

}  // namespace esper::urza
