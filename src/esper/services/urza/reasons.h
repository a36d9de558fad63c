#pragma once

#include <functional>

#include "esper/services/urza/library.h"

namespace esper::urza {

execution::KernelWant want_of(const KernelAsk& ask);
/// Its latency as it was measured; a very large number where it was not.
double order_of(const KernelRecord& record);

/// Everything that must hold before `record` is used (Library::why). `object`: whether its object
/// is the manifest's. `offers`: what the library offers for an ask.
Result<std::vector<Reason>> reasons_of(
    const KernelRecord& record, const Status& object, const execution::KeyRing& ring,
    const std::optional<KernelAsk>& ask,
    const std::function<Result<std::vector<KernelRecord>>(const KernelAsk&)>& offers);

}  // namespace esper::urza
