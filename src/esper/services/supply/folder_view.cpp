#include <fmt/format.h>

#include <type_traits>

#include "esper/services/supply/known_kernels.h"
#include "esper/services/supply/library_view.h"
#include "esper/services/supply/retries.h"
#include "esper/services/supply/server_view.h"
#include "esper/services/urza/server_address.h"
#include "esper/utils/logging.h"

namespace esper::supply {

namespace {

using ports::KernelNeed;

/// A folder or a database. One that stops answering is asked again beside the run, and not by it.
class FolderView final : public LibraryView {
  public:
    explicit FolderView(std::unique_ptr<urza::Library> library) : library_(std::move(library)) {}

    void look_for(const std::vector<KernelNeed>& needs, Unknown unknown) override {
        std::vector<KernelNeed> open;
        for (const auto& need : needs)
            if (!known_of(need, kernels_for(need), ring()).settled) open.push_back(need);
        const auto may = library_->may_change();
        const auto gone = trouble();
        unknown(open, !gone.empty() ? gone : may ? "" : may.error().message());
    }

    std::vector<Result<urza::KernelRecord>> kernels_for(const KernelNeed& need) override {
        std::vector<Result<urza::KernelRecord>> kernels;
        const auto blueprint = ask([&] { return library_->blueprint(need.branch); });
        if (!blueprint) return kernels;
        for (const auto& id : blueprint->compiled_artifacts) kernels.push_back(kernel(id));
        return kernels;
    }

    Result<urza::KernelRecord> kernel(const std::string& id) override {
        auto record = ask([&] { return library_->kernel(id); });
        if (!record) return fail(record.error().within(id));
        return record;
    }
    Result<std::string> bundle(const std::string& id) override {
        return ask([&] { return library_->fetch(id); });
    }
    Status deprecate(const std::string& id, const std::string& reason) override {
        return ask(
            [&] { return library_->deprecate(id, contracts::ComponentType::kUrza, reason); });
    }
    const execution::KeyRing& ring() const override { return library_->ring(); }
    std::string head() override {
        const auto head = ask([&] { return library_->head(); });
        return head ? fmt::format("{}:{}", head->number, head->hash) : "";
    }
    std::vector<ports::PastCandidates> past(const std::string& host) override {
        return ask([&] { return library_->head(); }) ? past_of(*library_, host)
                                                     : std::vector<ports::PastCandidates>();
    }

    void watch(std::function<void(urza::Library&)> watcher) override {
        watcher_ = std::move(watcher);
    }
    void refresh() override {
        if (watcher_ && ask([&] { return library_->head(); })) watcher_(*library_);
    }
    urza::Library& library() override { return *library_; }
    std::string trouble() override {
        const auto why = asking_.failing();
        return why ? why->message() : "";
    }

  private:
    template <typename Ask>
    std::invoke_result_t<Ask> ask(const Ask& to_ask) {
        if (const auto why = asking_.failing()) return fail(*why);
        auto answer = to_ask();
        if (!answer && answer.error().is(urza::UrzaError::kUnreachable)) {
            ESPER_LOG_WARNING("the library does not answer",
                              utils::kv("why", answer.error().message()));
            asking_.begin(answer.error());
        }
        return answer;
    }
    Status ask_again() {
        const auto head = library_->head();
        return head ? Status() : fail(head.error());
    }

    std::unique_ptr<urza::Library> library_;
    std::function<void(urza::Library&)> watcher_;
    Retries asking_{[this] { return ask_again(); }};
};

}  // namespace

Result<std::unique_ptr<LibraryView>> view_of(const std::string& library) {
    if (urza::is_server(library)) return view_of_server(library);
    ESPER_TRY(auto opened, urza::open_library(library));
    return std::unique_ptr<LibraryView>(std::make_unique<FolderView>(std::move(opened)));
}

}  // namespace esper::supply
