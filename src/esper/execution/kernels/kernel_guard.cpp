#include "esper/execution/kernels/kernel_guard.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "esper/execution/kernels/guard_protocol.h"

namespace esper::execution {

using guard::kPage;

struct KernelGuard::Channel {
    guard::Request request;
    guard::Reply reply;
};

namespace {

using Clock = std::chrono::steady_clock;

Result<pid_t> spawn(const std::filesystem::path& helper, int socket) {
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    ::posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    // dup2 onto itself would keep close-on-exec; the socket is never descriptor 3 after the move.
    ::posix_spawn_file_actions_adddup2(&actions, socket, guard::kSocketFd);
    ::posix_spawn_file_actions_addclosefrom_np(&actions, guard::kSocketFd + 1);
    const std::string path = helper.string();
    char name[] = "esper-kernel-guard";
    char* const arguments[] = {name, nullptr};
    char* const environment[] = {nullptr};
    pid_t process = -1;
    const int code =
        ::posix_spawn(&process, path.c_str(), &actions, nullptr, arguments, environment);
    ::posix_spawn_file_actions_destroy(&actions);
    if (code == 0) return process;
    return fail(KernelError::kGuardUnavailable,
                fmt::format("cannot start {}: {}; build esper-kernel-guard or name it in "
                            "ESPER_KERNEL_GUARD",
                            path, std::strerror(code)));
}

/// True when the process ended by itself within the time.
bool wait_for_end(pid_t process, int& status, std::chrono::milliseconds patience) {
    const auto until = Clock::now() + patience;
    for (;;) {
        const pid_t r = ::waitpid(process, &status, WNOHANG);
        if (r == process) return true;
        if (r < 0 && errno != EINTR) return false;
        if (Clock::now() >= until) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
}

}  // namespace

KernelGuard::KernelGuard() : channel_(std::make_unique<Channel>()) {}

KernelGuard::~KernelGuard() {
    if (process_ > 0) (void)bury(true);
    if (map_ != nullptr) ::munmap(map_, static_cast<std::size_t>(map_bytes_));
}

std::filesystem::path KernelGuard::default_helper() {
    if (const char* named = std::getenv("ESPER_KERNEL_GUARD")) return named;
    std::error_code ignored;
    return std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path() /
           "esper-kernel-guard";
}

Result<std::unique_ptr<KernelGuard>> KernelGuard::start(int image_fd,
                                                        const std::filesystem::path& helper,
                                                        std::chrono::nanoseconds deadline) {
    auto failed = [](const char* what) {
        return fail(
            KernelError::kGuardUnavailable,
            fmt::format("cannot set up a guard process ({}): {}", what, std::strerror(errno)));
    };
    std::unique_ptr<KernelGuard> self(new KernelGuard());
    int pair[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        return failed("socketpair");
    }
    self->socket_ = OwnedFd(pair[0]);
    OwnedFd theirs(pair[1]);
    if (theirs.get() == guard::kSocketFd) {
        theirs = OwnedFd(::fcntl(theirs.get(), F_DUPFD_CLOEXEC, guard::kSocketFd + 1));
    }
    self->shared_ = OwnedFd(::memfd_create("esper-tensors", MFD_CLOEXEC));
    if (self->shared_.get() < 0) return failed("memfd_create");
    ESPER_TRY(self->process_, spawn(helper, theirs.get()));
    theirs = OwnedFd();
    self->channel_->request.kind = guard::Kind::kLoad;
    const int fds[2] = {image_fd, self->shared_.get()};
    ESPER_CHECK_STATUS(self->exchange(deadline, fds));
    const guard::Reply& reply = self->channel_->reply;
    switch (reply.answer) {
        case guard::Answer::kDone:
            return self;
        case guard::Answer::kMissingSymbol:
            return fail(KernelError::kMissingSymbol,
                        "the kernel does not export esper_kernel_abi and esper_kernel_run");
        case guard::Answer::kAbiMismatch:
            return fail(KernelError::kAbiMismatch,
                        fmt::format("the kernel speaks interface {}, this is {}; compile it anew",
                                    reply.code, ESPER_KERNEL_ABI));
        default:
            return fail(KernelError::kNotLoadable,
                        std::string(reply.text, ::strnlen(reply.text, sizeof reply.text)));
    }
}

Error KernelGuard::bury(bool timed_out) {
    int status = 0;
    bool ended = false;
    // The worker may have closed its socket without ending; wait a moment, then kill it.
    if (!timed_out) ended = wait_for_end(process_, status, std::chrono::milliseconds(200));
    if (!ended) {
        ::kill(process_, SIGKILL);
        while (::waitpid(process_, &status, 0) < 0 && errno == EINTR) {
        }
    }
    const pid_t process = std::exchange(process_, -1);
    if (timed_out) {
        return fail(KernelError::kTimedOut,
                    fmt::format("the kernel missed its deadline; process {} was killed", process))
            .value();
    }
    if (ended && WIFEXITED(status)) {
        return fail(KernelError::kExited,
                    fmt::format("the kernel ended its process with exit code {}",
                                WEXITSTATUS(status)))
            .value();
    }
    const int signal = WIFSIGNALED(status) ? WTERMSIG(status) : SIGKILL;
    return fail(KernelError::kCrashed,
                fmt::format("the kernel died of signal {} ({})", signal, ::strsignal(signal)))
        .value();
}

Status KernelGuard::exchange(std::chrono::nanoseconds deadline, std::span<const int> fds) {
    if (process_ <= 0) {
        return fail(KernelError::kGuardUnavailable, "the guard's process is gone; start another");
    }
    const auto until = Clock::now() + deadline;
    iovec vector{&channel_->request, sizeof channel_->request};
    msghdr message{};
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    alignas(cmsghdr) char control[CMSG_SPACE(2 * sizeof(int))] = {};
    if (!fds.empty()) {
        message.msg_control = control;
        message.msg_controllen = CMSG_SPACE(fds.size_bytes());
        cmsghdr* header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(fds.size_bytes());
        std::memcpy(CMSG_DATA(header), fds.data(), fds.size_bytes());
    }
    if (::sendmsg(socket_.get(), &message, MSG_NOSIGNAL) < 0) {
        return tl::unexpected<Error>(bury(false));
    }
    for (;;) {
        const auto left =
            std::chrono::duration_cast<std::chrono::nanoseconds>(until - Clock::now());
        if (left.count() <= 0) return tl::unexpected<Error>(bury(true));
        pollfd waiting{socket_.get(), POLLIN, 0};
        const timespec time{static_cast<time_t>(left.count() / 1'000'000'000),
                            static_cast<long>(left.count() % 1'000'000'000)};
        const int ready = ::ppoll(&waiting, 1, &time, nullptr);
        if (ready == 0 || (ready < 0 && errno == EINTR)) continue;
        const ssize_t n =
            ::recv(socket_.get(), &channel_->reply, sizeof channel_->reply, MSG_DONTWAIT);
        if (n == static_cast<ssize_t>(sizeof channel_->reply)) return {};
        return tl::unexpected<Error>(bury(false));
    }
}

Status KernelGuard::lay_out(std::span<const KernelTensor> inputs,
                            std::span<const KernelTensor> outputs) {
    guard::Request& request = channel_->request;
    std::int64_t total = 0;
    bool same = request.kind == guard::Kind::kRun && request.inputs == inputs.size() &&
                request.outputs == outputs.size();
    std::size_t i = 0;
    for (auto list : {inputs, outputs}) {
        for (const KernelTensor& tensor : list) {
            guard::Tensor& t = request.tensors[i++];
            const std::int64_t bytes = tensor.bytes();
            const std::int64_t rounded = (bytes + 63) / 64 * 64;
            const std::int64_t pages = (rounded + kPage - 1) / kPage * kPage;
            same = same && t.file_offset == total && t.map_bytes == pages && t.capacity == bytes;
            const bool is_input = list.data() == inputs.data() && i <= inputs.size();
            const EsperTensor form = is_input ? input_tensor(tensor) : output_tensor(tensor);
            t = {total, pages, pages - rounded, bytes, {}, form.rank, form.dtype};
            std::ranges::copy(form.shape, t.shape);
            total += pages;
        }
    }
    request.kind = guard::Kind::kRun;
    request.inputs = static_cast<std::uint32_t>(inputs.size());
    request.outputs = static_cast<std::uint32_t>(outputs.size());
    if (!same) ++request.layout;
    if (total <= map_bytes_) return {};
    if (map_ != nullptr) ::munmap(map_, static_cast<std::size_t>(map_bytes_));
    map_ = nullptr;
    map_bytes_ = 0;
    void* map = MAP_FAILED;
    if (::ftruncate(shared_.get(), total) == 0) {
        map = ::mmap(nullptr, static_cast<std::size_t>(total), PROT_READ | PROT_WRITE, MAP_SHARED,
                     shared_.get(), 0);
    }
    if (map == MAP_FAILED) {
        return fail(KernelError::kOutOfMemory,
                    fmt::format("no {} bytes of shared memory for a guarded kernel: {}", total,
                                std::strerror(errno)));
    }
    map_ = static_cast<char*>(map);
    map_bytes_ = total;
    return {};
}

bool KernelGuard::canaries_stand() const {
    const guard::Request& request = channel_->request;
    auto untouched = [](const char* from, const char* to) {
        return std::all_of(from, to,
                           [](char c) { return static_cast<unsigned char>(c) == guard::kCanary; });
    };
    for (std::uint32_t i = request.inputs; i < request.inputs + request.outputs; ++i) {
        const guard::Tensor& t = request.tensors[i];
        const char* start = map_ + t.file_offset;
        if (!untouched(start, start + t.data_offset) ||
            !untouched(start + t.data_offset + t.capacity, start + t.map_bytes)) {
            return false;
        }
    }
    return true;
}

Status KernelGuard::run(std::span<const KernelTensor> inputs, std::span<const KernelTensor> outputs,
                        std::chrono::nanoseconds deadline) {
    ESPER_CHECK_STATUS(lay_out(inputs, outputs));
    guard::Request& request = channel_->request;
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(deadline).count();
    request.limit_ms = static_cast<std::uint32_t>(std::clamp<std::int64_t>(ms, 1, 86'400'000));
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        const guard::Tensor& t = request.tensors[i];
        if (t.capacity > 0) {
            std::memcpy(map_ + t.file_offset + t.data_offset, inputs[i].data,
                        static_cast<std::size_t>(t.capacity));
        }
    }
    for (std::size_t i = 0; i < outputs.size(); ++i) {
        const guard::Tensor& t = request.tensors[inputs.size() + i];
        char* start = map_ + t.file_offset;
        std::memset(start, guard::kCanary, static_cast<std::size_t>(t.data_offset));
        std::memset(start + t.data_offset + t.capacity, guard::kCanary,
                    static_cast<std::size_t>(t.map_bytes - t.data_offset - t.capacity));
    }
    ESPER_CHECK_STATUS(exchange(deadline, {}));
    const guard::Reply& reply = channel_->reply;
    if (reply.answer != guard::Answer::kDone) {
        (void)bury(true);
        return fail(KernelError::kOutOfMemory, "the guard process could not map the tensors");
    }
    if (!canaries_stand()) {
        (void)bury(true);
        return fail(KernelError::kOverrun, "the kernel wrote outside of its output");
    }
    if (reply.code != 0) {
        return fail(KernelError::kReturnedError, fmt::format("the kernel returned {}", reply.code));
    }
    for (std::size_t i = 0; i < outputs.size(); ++i) {
        EsperTensor written{};
        std::ranges::copy(reply.outputs[i].shape, written.shape);
        written.rank = reply.outputs[i].rank;
        written.dtype = reply.outputs[i].dtype;
        ESPER_CHECK_STATUS(check_output(written, outputs[i]));
    }
    for (std::size_t i = 0; i < outputs.size(); ++i) {
        const guard::Tensor& t = request.tensors[inputs.size() + i];
        if (t.capacity > 0) {
            std::memcpy(outputs[i].data, map_ + t.file_offset + t.data_offset,
                        static_cast<std::size_t>(t.capacity));
        }
    }
    return {};
}

}  // namespace esper::execution
