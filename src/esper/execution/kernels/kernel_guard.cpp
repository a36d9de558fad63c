#include "esper/execution/kernels/kernel_guard.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <string>
#include <vector>

#include "esper/base/descriptor.h"
#include "esper/execution/kernels/guard/guarded_call.h"
#include "esper/execution/kernels/guard_image.h"
#include "esper/execution/kernels/image_process.h"

namespace esper::execution {

namespace {

tl::unexpected<Error> unavailable(const std::string& what) {
    return fail(KernelError::kGuardUnavailable, fmt::format("{}: {}", what, std::strerror(errno)));
}

std::int64_t whole_pages(std::int64_t bytes) {
    static const auto page = static_cast<std::int64_t>(::sysconf(_SC_PAGESIZE));
    return (bytes + page - 1) / page * page;
}

/// A call as the process that makes it reads it, in memory that both share.
class SharedCall {
  public:
    SharedCall(const EsperKernelInfo& info, const EsperKernelCall& call, std::int64_t offset) {
        head_.rounding = float_control();
        head_.offset = offset;
        head_.rows = call.rows;
        head_.alpha = call.alpha;
        head_.beta = call.beta;
        head_.parameters = info.parameters;
        head_.gradients = call.parameter_gradients == nullptr ? -1 : info.parameters;
        head_.saved = call.saved == nullptr ? -1 : info.saved;
        input(call.x);
        input(call.gradient);
        result(call.y);
        result(call.dx);
        workspace(call.workspace);
        for (int i = 0; i < info.parameters; ++i) input(call.parameters[i]);
        for (int i = 0; i < head_.gradients; ++i) result(call.parameter_gradients[i]);
        // Backward reads what forward has saved.
        for (int i = 0; i < head_.saved; ++i) result(call.saved[i]);
        place();
    }
    ~SharedCall() {
        if (memory_ != MAP_FAILED) ::munmap(memory_, static_cast<std::size_t>(bytes_));
    }
    SharedCall(const SharedCall&) = delete;
    SharedCall& operator=(const SharedCall&) = delete;

    bool complete() const { return memory_ != MAP_FAILED; }
    int file() const { return file_.get(); }
    void take_back() const {
        for (std::size_t i = 0; i < pieces_.size(); ++i)
            if (wanted_[i] != nullptr)
                std::memcpy(wanted_[i], at(pieces_[i]), static_cast<std::size_t>(pieces_[i].bytes));
    }

  private:
    // As libtorch's tensors lie; it is a kernel's business to want more.
    static constexpr std::int64_t kAlignment = 64;

    void add(const void* data, std::int64_t bytes, bool writable, std::int64_t alignment) {
        GuardedPiece piece;
        piece.writable = writable;
        piece.bytes = bytes;
        if (data != nullptr && bytes > 0) {
            piece.pages = whole_pages(bytes);
            piece.lead = (piece.pages - bytes) / alignment * alignment;
        }
        pieces_.push_back(piece);
    }
    void input(const EsperIn& in) {
        add(in.data, in.bytes, false, kAlignment);
        given_.push_back(in.data);
        wanted_.push_back(nullptr);
    }
    // It ends where an inaccessible page begins.
    void result(const EsperOut& out) {
        add(out.data, out.bytes, true, 1);
        given_.push_back(out.data);
        wanted_.push_back(pieces_.back().pages == 0 ? nullptr : out.data);
    }
    void workspace(const EsperOut& out) {
        add(out.data, out.bytes, true, kAlignment);
        given_.push_back(nullptr);
        wanted_.push_back(nullptr);
    }

    char* at(const GuardedPiece& piece) const {
        return static_cast<char*>(memory_) + piece.begin + piece.lead;
    }

    void place() {
        bytes_ = whole_pages(
            static_cast<std::int64_t>(sizeof head_ + pieces_.size() * sizeof(GuardedPiece)));
        for (auto& piece : pieces_) {
            piece.begin = bytes_;
            bytes_ += piece.pages;
        }
        if (file_.get() < 0 || ::ftruncate(file_.get(), bytes_) != 0) return;
        memory_ = ::mmap(nullptr, static_cast<std::size_t>(bytes_), PROT_READ | PROT_WRITE,
                         MAP_SHARED, file_.get(), 0);
        if (memory_ == MAP_FAILED) return;
        std::memcpy(memory_, &head_, sizeof head_);
        std::memcpy(static_cast<char*>(memory_) + sizeof head_, pieces_.data(),
                    pieces_.size() * sizeof(GuardedPiece));
        for (std::size_t i = 0; i < pieces_.size(); ++i)
            if (pieces_[i].pages > 0 && given_[i] != nullptr)
                std::memcpy(at(pieces_[i]), given_[i], static_cast<std::size_t>(pieces_[i].bytes));
    }

    GuardedCall head_;
    std::vector<GuardedPiece> pieces_;
    std::vector<const void*> given_;
    std::vector<void*> wanted_;
    Descriptor file_{::memfd_create("esper-kernel-memory", MFD_CLOEXEC)};
    std::int64_t bytes_ = 0;
    void* memory_ = MAP_FAILED;
};

Status judged(const ChildEnd& end, const ChildLimits& limits) {
    if (end.output.empty() || end.output.front() != kReady)
        return fail(KernelError::kGuardUnavailable,
                    "the process for a kernel's call could not be made ready, it " + end.how());
    const bool slow = end.timed_out || end.signal == SIGXCPU ||
                      (end.signal == SIGKILL && end.cpu_seconds > 0.9 * limits.cpu_seconds);
    if (slow)
        return fail(KernelError::kTimedOut,
                    fmt::format("it was ended after {:.1f} s of processor time", end.cpu_seconds));
    if (end.signal != 0)
        return fail(KernelError::kCrashed, fmt::format("it was ended by signal {} ({})", end.signal,
                                                       ::strsignal(end.signal)));
    if (end.exit_code != 0)
        return fail(KernelError::kExited, fmt::format("it called exit({})", end.exit_code));
    const auto said = std::string_view(end.output).substr(1);
    if (said == kWroteInput)
        return fail(KernelError::kOverrun, "it wrote to what it may only read");
    if (said != "0") return fail(KernelError::kReturnedError, fmt::format("it returned {}", said));
    return {};
}

}  // namespace

Result<KernelGuard> KernelGuard::make(ChildLimits limits) {
    ESPER_TRY(auto folder, WorkFolder::make());
    return KernelGuard(std::move(folder), limits);
}

Status KernelGuard::call(KernelFunction function, const EsperKernelInfo& info,
                         const EsperKernelCall& call) const {
    Dl_info origin{};
    if (::dladdr(reinterpret_cast<const void*>(function), &origin) == 0)
        return fail(KernelError::kGuardUnavailable, "the function is of no mapped library");
    const Descriptor object(::open(origin.dli_fname, O_RDONLY | O_CLOEXEC));
    if (object.get() < 0) return unavailable("the kernel's object cannot be opened");
    if (guard_image() < 0) return unavailable("no memory for the process of a kernel's call");
    const SharedCall shared(
        info, call,
        reinterpret_cast<const char*>(function) - static_cast<const char*>(origin.dli_fbase));
    if (!shared.complete()) return unavailable("no memory to share");
    const bool jailed = copy_sandbox_level() == SandboxLevel::kJail;
    ESPER_TRY(const auto end, run_image(guard_image(),
                                        {"esper-kernel-call", folder_.path().string(),
                                         std::to_string(limits_.cpu_seconds),
                                         std::to_string(limits_.file_bytes), jailed ? "1" : "0"},
                                        {object.get(), shared.file()}, limits_));
    ESPER_CHECK_STATUS(judged(end, limits_));
    shared.take_back();
    return {};
}

}  // namespace esper::execution
