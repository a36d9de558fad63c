#include "esper/services/urza/database_library.h"

#include <fmt/format.h>

namespace esper::urza {

DatabaseLibrary::DatabaseLibrary(Parts parts, Clock& clock)
    : name_(std::move(parts.name)),
      why_not_(std::move(parts.why_not)),
      clock_(clock),
      readers_(std::move(parts.connect_to_read), parts.keeps_readers),
      objects_(std::move(parts.objects)),
      ring_(std::move(parts.ring)),
      signer_(std::move(parts.signer)) {
    if (parts.writer)
        writer_ = std::make_unique<GroupCommit>(std::move(parts.writer), [this](Database& changed) {
            return sign_head(changed, *signer_);
        });
}

Status DatabaseLibrary::write(GroupCommit::Change change) {
    ESPER_CHECK_STATUS(may_change());
    return writer_->write(std::move(change));
}

Status DatabaseLibrary::may_change() const {
    if (writer_) return {};
    return fail(UrzaError::kReadOnly, fmt::format("{} {}", name_, why_not_));
}

std::uint64_t DatabaseLibrary::commits() const { return writer_ ? writer_->commits() : 0; }

Result<std::vector<LedgerEntry>> DatabaseLibrary::ledger(std::uint64_t after, std::uint32_t limit) {
    ESPER_TRY(const auto database, reader());
    return read_entries(*database, after, limit);
}

Result<LedgerHead> DatabaseLibrary::head() {
    ESPER_TRY(const auto database, reader());
    return read_head(*database, ring_);
}

}  // namespace esper::urza
