#include "esper/execution/state_layout.h"

namespace esper::execution {

template class BasicStateTable<StdAtomics>;

}  // namespace esper::execution
