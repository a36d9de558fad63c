#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "esper/base/clock.h"
#include "esper/execution/kernels/trust/key_folder.h"
#include "esper/services/urza/artifacts.h"
#include "esper/services/urza/group_commit.h"
#include "esper/services/urza/ledger.h"
#include "esper/services/urza/library.h"

namespace esper::urza {

/// The library in a folder: `urza.sqlite`, `objects/`, `keys/`. Reads use a connection each;
/// changes go through one thread (GroupCommit). Where the folder cannot be written, what is in it
/// can still be read, and every change is refused with kReadOnly.
class SqliteLibrary final : public Library {
  public:
    static Result<std::unique_ptr<SqliteLibrary>> open(const std::filesystem::path& folder,
                                                       Clock& clock = system_clock());
    /// To look at only, also where it could be written.
    static Result<std::unique_ptr<SqliteLibrary>> open_as_reader(
        const std::filesystem::path& folder, Clock& clock = system_clock());

    Result<std::string> add_blueprint(const contracts::BlueprintSubmission& submission) override;
    Result<contracts::Blueprint> blueprint(std::string_view id) override;
    Result<std::vector<contracts::Blueprint>> blueprints(const PageOf& page) override;
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
    Result<std::vector<Error>> verify(const std::optional<LedgerHead>& remembered) override;
    Result<Collected> collect(const Retention& retention) override;
    Status may_change() const override;
    const execution::KeyRing& ring() const override { return ring_; }

    /// Commits of this process so far: what many writers share.
    std::uint64_t commits() const;

  private:
    /// A connection for reading, given back by the destructor.
    class Reader {
      public:
        Reader(SqliteLibrary& library, std::unique_ptr<Database> database)
            : library_(&library), database_(std::move(database)) {}
        Reader(Reader&&) = default;
        ~Reader();
        Database& operator*() const { return *database_; }
        Database* operator->() const { return database_.get(); }

      private:
        SqliteLibrary* library_;
        std::unique_ptr<Database> database_;
    };

    SqliteLibrary(std::filesystem::path folder, Clock& clock)
        : folder_(std::move(folder)), clock_(clock), artifacts_(folder_ / "objects") {}
    Status prepare();
    Status prepare_to_read(const execution::KeyFolder& keys);
    Result<std::unique_ptr<Database>> open_to_read() const;
    Result<Reader> reader();
    Status write(GroupCommit::Change change);
    Result<std::vector<KernelRecord>> select_kernels(const std::string& where,
                                                     const std::function<void(Statement&)>& bind);
    Status verify_blueprints(std::vector<Error>& wrong);
    Status verify_runs(std::vector<Error>& wrong);
    Status verify_kernels(std::vector<Error>& wrong);
    Result<std::vector<std::string>> ledger_digests(Database& database, std::string_view action,
                                                    std::string_view subject);

    std::filesystem::path folder_;
    Clock& clock_;
    Artifacts artifacts_;
    execution::KeyRing ring_;
    std::optional<execution::Signer> signer_;
    bool may_write_ = true;
    bool to_look_at_ = false;              ///< opened as a reader
    std::unique_ptr<GroupCommit> writer_;  // none where the folder cannot be written
    std::mutex mutex_;
    std::vector<std::unique_ptr<Database>> idle_;
};

}  // namespace esper::urza
