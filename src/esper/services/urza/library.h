#pragma once
// urza: the library of blueprints and kernels, and of who vouches for them.

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "esper/contracts/assets.h"
#include "esper/contracts/messages.h"
#include "esper/contracts/validators.h"
#include "esper/execution/kernels/kernel_bundle.h"
#include "esper/services/urza/urza_error.h"
#include "esper/services/urza/work_queue.h"

namespace esper::urza {

/// A kernel as the forge hands it in: sealed by its key, without a verdict.
struct NewKernel {
    execution::KernelBundle bundle;
    contracts::KernelMetadata metadata;  ///< its checksum is filled in
    contracts::CompilationRecord compilation;
};

/// A kernel of the library. Every text is kept as the bytes that were signed.
struct KernelRecord {
    contracts::CompiledKernelArtifact artifact;  ///< with the newest report
    execution::KernelManifest manifest;
    std::optional<execution::Verdict> verdict;  ///< the newest
    std::string manifest_text;
    execution::Seal forged;
    std::string verdict_text;
    execution::Seal judged;
    std::string report_text;
    bool is_collected = false;  ///< its object was given up
};

/// What a trainer needs a kernel for.
struct KernelAsk {
    std::string branch;  ///< hash of the branch's Program: the blueprint's id
    std::string precision;
    execution::ShapeClass shape;
    /// Of the processor it shall run on; by default this one's.
    std::vector<std::string> cpu_features = execution::cpu_features_here();
};

/// One thing that must hold for a kernel to be used, and whether it does.
struct Reason {
    std::string what;
    bool holds = false;
    std::string why;  ///< the error, or what was found
};

/// A page of a list in the order of ids: give the last id as `after` to get the next page.
struct PageOf {
    std::string after;
    std::uint32_t limit = 100;
};

struct LedgerEntry {
    std::uint64_t number = 0;
    std::string at, actor, action, subject, digest;
    std::string hash;  ///< over this entry and the hash of the one before
};
/// The last entry's number and hash: whoever remembers it finds a ledger that was cut or rewritten.
struct LedgerHead {
    std::uint64_t number = 0;
    std::string hash;
    // As the library signed it; empty where it was remembered, and before the first entry.
    std::string statement = {};
    execution::Seal seal = {};
};

/// How a seed ended in a run.
struct FiledReport {
    contracts::FieldReport report;
    std::string run;   ///< FieldRun::id
    std::string seed;  ///< its name there
    std::string host;
};
/// How often runs measured candidates of a blueprint, and how many of them germinated.
struct MeasuredCandidates {
    std::string blueprint;  ///< its id
    std::string host;
    std::int64_t measured = 0;
    std::int64_t chosen = 0;
    std::int64_t runs = 1;
    std::int64_t runs_chosen = 0;  ///< in which at least one germinated
};
/// What one run says of the blueprints that it tried.
struct FieldRun {
    std::string id;    ///< a hash of what it did: the same run again says nothing new
    std::string host;  ///< its kind, e.g. `gpt`
    std::vector<FiledReport> reports;  ///< their `run` and `host` are filled in
    std::vector<MeasuredCandidates> candidates;
};

/// How many kernels to keep.
struct Retention {
    std::uint32_t kernels_per_blueprint = 100;
};
struct Collected {
    std::uint64_t kernels = 0;  ///< whose object was dropped; their rows stay
    std::uint64_t files = 0;    ///< of no row
    std::uint64_t young = 0;    ///< of no row, but so new that a kernel may just be being added
    std::uint64_t bytes = 0;
};

/// The library. Content has the id of its hash, so adding the same twice is no error; nothing that
/// was added ever changes but its status. Thread-safe. A call that changes something returns when
/// it is on the disk.
class Library {
  public:
    virtual ~Library() = default;

    /// Reads the Program (never runs it), holds it to the operators that blueprints may use, and
    /// stores it. Returns its id, the hash of the Program. Errors: UrzaError::kBadBlueprint.
    virtual Result<std::string> add_blueprint(const contracts::BlueprintSubmission& submission) = 0;
    /// Errors: kUnknownBlueprint.
    virtual Result<contracts::Blueprint> blueprint(std::string_view id) = 0;
    virtual Result<std::vector<contracts::Blueprint>> blueprints(const PageOf& page) = 0;
    /// Errors: kUnknownBlueprint, those of contracts::check_transition.
    virtual Status set_blueprint_status(std::string_view id, contracts::BlueprintStatus to,
                                        const contracts::Actor& actor) = 0;

    /// Stores a kernel, PENDING_BENCHMARKING. Returns the artifact's id. Errors: those of
    /// execution::verify_forged; kUnknownBlueprint when its branch is none; kConflict when another
    /// kernel has that id.
    virtual Result<std::string> add_kernel(NewKernel kernel) = 0;
    /// Stores a verdict, and with it the kernel's status. `report` is the JSON text of a
    /// UrabraskValidationReport, whose hash the verdict names. Errors: kUnknownKernel, kConflict
    /// when report and verdict contradict each other, those of KeyRing::check and Verdict::parse.
    virtual Status add_verdict(std::string_view kernel, std::string verdict, execution::Seal seal,
                               std::string report) = 0;
    /// Errors: kUnknownKernel; kBadRow for a row that was changed.
    virtual Result<KernelRecord> kernel(std::string_view id) = 0;
    virtual Result<std::vector<KernelRecord>> kernels(const PageOf& page) = 0;
    /// The kernels that may be loaded for this, fastest first. Each was verified: both seals, the
    /// shape, the processor's features. A status in the database is believed by nobody.
    virtual Result<std::vector<KernelRecord>> offers(const KernelAsk& ask) = 0;
    /// The same by tags and limits, for the controller.
    virtual Result<contracts::KernelQueryResult> query(const contracts::KernelQuery& query) = 0;
    /// The kernel with its object, for execution::parse_bundle. Errors: kUnknownKernel, kNoObject,
    /// kBadRow.
    virtual Result<std::string> fetch(std::string_view id) = 0;
    /// Takes a kernel out of use. Errors: kUnknownKernel, those of contracts::check_transition.
    virtual Status deprecate(std::string_view id, const contracts::Actor& actor,
                             std::string_view reason) = 0;
    /// Everything that must hold before `id` is used, in the order in which it is checked.
    virtual Result<std::vector<Reason>> why(std::string_view id,
                                            const std::optional<KernelAsk>& ask) = 0;

    /// Files a run's reports and candidates, all or none. False, and nothing changes, where that
    /// run was filed before. Errors: kUnknownBlueprint.
    virtual Result<bool> file_run(const FieldRun& run) = 0;
    /// How seeds ended in the field, oldest first: of one blueprint, or of all ("").
    virtual Result<std::vector<FiledReport>> reports(std::string_view blueprint) = 0;
    /// The candidates of all runs, summed for each blueprint and host, in their order.
    virtual Result<std::vector<MeasuredCandidates>> measured_candidates() = 0;

    virtual Result<std::vector<LedgerEntry>> ledger(std::uint64_t after, std::uint32_t limit) = 0;
    virtual Result<LedgerHead> head() = 0;
    /// Checks every digest, signature and link; what is wrong, one line each. KernelError's
    /// kAbiMismatch: a kernel that is what was signed, for an older interface. `remembered`: a
    /// head that was seen before.
    virtual Result<std::vector<Error>> verify(const std::optional<LedgerHead>& remembered) = 0;
    virtual Result<Collected> collect(const Retention& retention) = 0;

    /// What workers are to do for this library.
    virtual WorkQueue& work() = 0;

    /// Error: kReadOnly where this user may read it and no more.
    virtual Status may_change() const = 0;
    /// The keys that are trusted here.
    virtual const execution::KeyRing& ring() const = 0;
};

/// The library at an address, "" for default_library_path(): a folder with a SQLite file, the
/// objects and the keys, made (mode 0700) where it is missing; or a PostgreSQL database,
/// `postgresql://USER@HOST/DATABASE`, in which the tables are made where they are missing; or
/// `http://HOST:PORT` or `https://HOST`, a server that others share (RemoteLibrary).
/// `objects`, of a database only: where kernels' objects lie, a folder, `s3://bucket/prefix`, or
/// `rows` of the database; "" means $ESPER_OBJECTS, else where the library has them (`rows` in a
/// new one). Errors: kBadAddress, kNetworkFileSystem, kTooNew, kReadOnly, kDatabase, kDamaged,
/// kUnreachable; for a server those of RemoteLibrary::open.
Result<std::unique_ptr<Library>> open_library(const std::string& path = "",
                                              const std::string& objects = "");
/// $ESPER_LIBRARY, else ~/.local/share/esper/library.
std::string default_library_path();
/// This user's own folder, ~/.local/share/esper/library: where no library is named it is one, and
/// it has the keys for those that lie in a database or behind a server.
std::filesystem::path default_folder();
/// The folder of what a library at this address ("" as above) has on this machine alone: keys
/// (unless $ESPER_KEYS names others), tokens, refusals of the compiler. A folder's own; of a
/// database or a server, the user's default folder.
std::filesystem::path local_folder(const std::string& address);
/// The address without its password.
std::string shown_address(const std::string& address);
/// The same to look at: nothing is made, written or brought up to date, and every change is refused
/// with kReadOnly. Errors besides: kReadOnly where there is no library.
Result<std::unique_ptr<Library>> open_library_to_read(const std::string& path);

}  // namespace esper::urza
