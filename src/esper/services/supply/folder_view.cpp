#include <fmt/format.h>

#include "esper/services/supply/known_kernels.h"
#include "esper/services/supply/library_view.h"
#include "esper/services/supply/server_view.h"
#include "esper/services/urza/server_address.h"

namespace esper::supply {

namespace {

using ports::KernelNeed;

class FolderView final : public LibraryView {
  public:
    explicit FolderView(std::unique_ptr<urza::Library> library) : library_(std::move(library)) {}

    void look_for(const std::vector<KernelNeed>& needs, Unknown unknown) override {
        std::vector<KernelNeed> open;
        for (const auto& need : needs)
            if (!known_of(need, kernels_for(need), ring()).settled) open.push_back(need);
        const auto may = library_->may_change();
        unknown(open, may ? "" : may.error().message());
    }

    std::vector<Result<urza::KernelRecord>> kernels_for(const KernelNeed& need) override {
        std::vector<Result<urza::KernelRecord>> kernels;
        const auto blueprint = library_->blueprint(need.branch);
        if (!blueprint) return kernels;
        for (const auto& id : blueprint->compiled_artifacts) kernels.push_back(kernel(id));
        return kernels;
    }

    Result<urza::KernelRecord> kernel(const std::string& id) override {
        auto record = library_->kernel(id);
        if (!record) return fail(record.error().within(id));
        return record;
    }
    Result<std::string> bundle(const std::string& id) override { return library_->fetch(id); }
    Status deprecate(const std::string& id, const std::string& reason) override {
        return library_->deprecate(id, contracts::ComponentType::kUrza, reason);
    }
    const execution::KeyRing& ring() const override { return library_->ring(); }
    std::string head() override {
        const auto head = library_->head();
        return head ? fmt::format("{}:{}", head->number, head->hash) : "";
    }
    std::vector<ports::PastCandidates> past(const std::string& host) override {
        return past_of(*library_, host);
    }

    void watch(std::function<void(urza::Library&)> watcher) override {
        watcher_ = std::move(watcher);
    }
    void refresh() override {
        if (watcher_) watcher_(*library_);
    }
    urza::Library& library() override { return *library_; }

  private:
    std::unique_ptr<urza::Library> library_;
    std::function<void(urza::Library&)> watcher_;
};

}  // namespace

Result<std::unique_ptr<LibraryView>> view_of(const std::string& library) {
    if (urza::is_server(library)) return view_of_server(library);
    ESPER_TRY(auto opened, urza::open_library(library));
    return std::unique_ptr<LibraryView>(std::make_unique<FolderView>(std::move(opened)));
}

}  // namespace esper::supply
