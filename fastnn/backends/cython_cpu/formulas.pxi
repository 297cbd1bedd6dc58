"""Every formula, on vectors of LANES reals where there are many; python/formulas.py is the text.

What a formula is called, and where it comes from, the table codes.py says.
"""


cdef enum:
    NO_PENALTY, WITH_L2, WITH_L1


cdef struct Sizes:  # what depends on the number of a step, of one network
    int optimizer
    double size           # what the mean gradient is multiplied by
    double gradient_size  # and the gradient itself (nadam)
    double epsilon
    double decay          # fraction of the weights that is taken off (adamw)
    double product        # of nadam's momenta up to this step


cdef struct Step:  # what an optimizer needs in one step; of one network, or of one in each lane
    int optimizer
    int penalty         # NO_PENALTY, WITH_L2 or WITH_L1, the latter with L2 too
    vec size, gradient_size, epsilon, decay  # as in Sizes
    vec beta_1, beta_2
    vec alpha, l1       # factors of the penalty, over the samples of the batch


cdef vec activate_rarely(int code, vec a, vec z, vec *slope) noexcept nogil:
    """Do the rest of `activate`: a call by itself leaves the code of the others short, and fast."""
    cdef vec one = vsplat(1), y, v
    if code == SOFTPLUS:
        y = vadd(vmax(z, vsplat(0)), vlog1p(vexp(vsub(vsplat(0), vabs(z)))))
        slope[0] = vsigmoid(z)
    elif code == LEAKY_RELU:
        y = vif_positive(z, z, vmul(a, z))
        slope[0] = vif_positive(z, one, a)
    elif code == ELU or code == SELU:
        v = a if code == ELU else vsplat(<real>(SELU_SCALE * SELU_ALPHA))
        one = one if code == ELU else vsplat(<real>SELU_SCALE)
        y = vmul(v, vexpm1(vmin(z, vsplat(0))))
        slope[0] = vif_positive(z, one, vadd(y, v))
        y = vif_positive(z, vmul(one, z), y)
    elif code == GELU:  # with 1 / sqrt(2 pi)
        v = vnormal(z, slope)
        y = vmul(z, v)
        slope[0] = vmuladd(vmul(vsplat(<real>0.3989422804014327), z), slope[0], v)
    elif code == SILU:
        v = vsigmoid(z)
        y = vmul(z, v)
        slope[0] = vmuladd(y, vsub(one, v), v)
    elif code == EXPONENTIAL:
        y = slope[0] = vexp(z)
    else:  # there is none
        y = slope[0] = vsplat(<real>NAN)
    return y


cdef inline vec activate(int code, vec a, vec z, vec *slope) noexcept nogil:
    """Return f(z), and f'(z) as slope; `a` is the activation's parameter."""
    cdef vec one = vsplat(1), y, v
    if code == SIGMOID:
        y = vsigmoid(z)
        slope[0] = vmul(y, vsub(one, y))
    elif code == RELU:
        y = vmax(z, vsplat(0))
        slope[0] = vpositive(z)
    elif code == TANH:
        y = vtanh(z)
        slope[0] = vsub(one, vmul(y, y))
    elif code == SOFTSIGN:
        v = vdiv(one, vadd(one, vabs(z)))
        y = vmul(z, v)
        slope[0] = vmul(v, v)
    elif code == SIGN:
        y = vsub(vpositive(z), vpositive(vsub(vsplat(0), z)))
        slope[0] = vsplat(0)
    elif code == IDENTITY:
        y = z
        slope[0] = one
    else:
        y = activate_rarely(code, a, z, slope)
    return y


cdef inline double loss_of_output(
    int code, double a, double t, double y, double *error
) noexcept nogil:
    """Return the loss of one output, and d loss / d y as error; `a` is the loss's parameter."""
    cdef double e = y - t
    if code == HALF_SQUARED_ERROR:
        error[0] = e
        return 0.5 * e * e
    if code == SUM_SQUARED_ERROR:
        error[0] = 2 * e
        return e * e
    if code == ABSOLUTE_ERROR:
        error[0] = (e > 0) - (e < 0)
        return fabs(e)
    if code == HUBER:
        if fabs(e) <= a:
            error[0] = e
            return 0.5 * e * e
        error[0] = a * ((e > 0) - (e < 0))
        return a * (fabs(e) - a / 2)
    if code == QUANTILE:
        error[0] = -a if e < 0 else (1 - a) * (e > 0)
        return error[0] * e
    if code == POISSON:
        y = y if y > 1e-300 else 1e-300  # no logarithm of 0
        error[0] = 1 - t / y if t > 0 else 1
        return y - t * log(y) if t > 0 else y
    if code == HINGE:
        error[0] = -t if t * y < 1 else 0
        return 1 - t * y if t * y < 1 else 0
    error[0] = NAN  # there is none
    return NAN


cdef double loss_and_delta(
    Task *task, Layer *layer, Py_ssize_t i, const real *t, double share, bint from_z
) noexcept nogil:
    """Return the loss of a sample with targets t, and store `share` times its deltas (2.41).

    `from_z`: the outputs hold the pre-activations z, and get f(z) here. Without targets (NULL)
    that is all.
    """
    cdef Py_ssize_t c, at, n = layer.n_out
    cdef double z, y, e, target, largest, total = 0, log_total, loss = 0, mean = 0
    cdef double a = task.loss_parameter
    cdef real *out = layer.outputs
    cdef const real *powers = layer.slopes  # which are of no use where they cancel
    if from_z and layer.activation == SOFTMAX:
        largest = exponentials(task, layer, i)
        for c in range(n):
            total += powers[offset_of(task, i, c)]
        if t == NULL or task.loss == SPARSE_CATEGORICAL_CROSSENTROPY:
            return softmax_and_label(task, layer, i, t, share, largest, total)
        log_total = log(total)
        for c in range(n):
            at = offset_of(task, i, c)
            z = out[at] - largest
            y = powers[at] / total
            out[at] = powers[at] / <real>total  # as softmax_and_label has it
            if task.loss == CATEGORICAL_CROSSENTROPY:
                target = (1 - a) * t[c] + a / n  # label smoothing
                e = y - target
                if target != 0:
                    loss += target * (log_total - z)
            else:
                loss += loss_of_output(task.loss, a, t[c], y, &e)
                mean += e * y
            layer.deltas[at] = <real>(e * share)
        if task.loss != CATEGORICAL_CROSSENTROPY:
            for c in range(n):  # dy_j / dz_k = y_j ((j = k) - y_k)
                at = offset_of(task, i, c)
                loss_of_output(task.loss, a, t[c], out[at], &e)
                layer.deltas[at] = <real>(share * out[at] * (e - mean))
    elif from_z and task.loss == POISSON:  # of exponential outputs: the slope cancels
        for c in range(n):
            at = offset_of(task, i, c)
            z = out[at]
            y = exp(z if z < 709 else 709)  # beyond, a double has no room
            out[at] = <real>y
            if t != NULL:
                loss += y - t[c] * z
                layer.deltas[at] = <real>((y - t[c]) * share)
    elif from_z:  # sigmoid and binary cross-entropy: the slope cancels
        falling_exponentials(task, layer, i)
        for c in range(n):
            at = offset_of(task, i, c)
            z = out[at]
            e = powers[at]
            y = 1 / (1 + e) if z >= 0 else e / (1 + e)
            out[at] = <real>y
            if t != NULL:
                target = (1 - a) * t[c] + a / 2
                loss += (z if z > 0 else 0) - z * target + log1p(e)
                layer.deltas[at] = <real>((y - target) * share)
    elif t != NULL:
        for c in range(n):
            at = offset_of(task, i, c)
            loss += loss_of_output(task.loss, a, t[c], out[at], &e)
            layer.deltas[at] = <real>(share * e * layer.slopes[at])
    return loss


cdef void step_sizes(
    Sizes *now, const double *numbers, double rate, int64_t step
) noexcept nogil:
    """Set what depends on the number of the step, counted from 1, and the learning rate.

    Steps come one after the other, since nadam's product is carried along. All but epsilon is the
    rate times what it is for a rate of 1, to the last bit: lanes.pxi makes use of it.
    """
    cdef double b1 = numbers[BETA_1], b2 = numbers[BETA_2], root, following
    now.size = rate
    if now.optimizer == ADAM or now.optimizer == ADAMW_KERAS:
        now.decay = rate * numbers[WEIGHT_DECAY]
        now.size = rate * (sqrt(1 - pow(b2, <double>step)) / (1 - pow(b1, <double>step)))
    elif now.optimizer == ADAMW:
        now.decay = rate * numbers[WEIGHT_DECAY]
        root = sqrt(1 - pow(b2, <double>step))
        now.size = rate * (root / (1 - pow(b1, <double>step)))
        now.epsilon = numbers[EPSILON] * root
    elif now.optimizer == NADAM:
        root = sqrt(1 - pow(b2, <double>step))
        following = momentum_of_step(b1, step + 1)
        now.product *= momentum_of_step(b1, step)
        now.size = rate * (root * following / (1 - now.product * following))
        now.gradient_size = rate * (root * (1 - momentum_of_step(b1, step)) / (1 - now.product))
        now.epsilon = numbers[EPSILON] * root


cdef double momentum_of_step(double b1, int64_t step) noexcept nogil:
    """Return u_n of nadam, which rises from b1 / 2 to b1."""
    return b1 * (1 - 0.5 * pow(0.96, step / 250.0))


cdef void first_sizes(
    Sizes *now, int optimizer, const double *numbers, int64_t step
) noexcept nogil:
    """Set what holds for all steps of a call, and the product of nadam's momenta so far."""
    cdef int64_t n = 1
    now.optimizer = optimizer
    now.epsilon, now.size, now.gradient_size, now.decay = numbers[EPSILON], 0, 0, 0
    now.product = 1
    while optimizer == NADAM and n <= step and now.product > 1e-20:  # 1 - product is 1 then
        now.product *= momentum_of_step(numbers[BETA_1], n)
        n += 1


cdef void first_step(Step *now, const Sizes *sizes, const double *numbers) noexcept nogil:
    """Set what holds for all steps of a network's call."""
    now.optimizer = sizes.optimizer
    now.beta_1, now.beta_2 = vsplat(<real>numbers[BETA_1]), vsplat(<real>numbers[BETA_2])
    now.penalty = WITH_L1 if numbers[L1] else WITH_L2 if numbers[ALPHA] else NO_PENALTY


cdef inline void next_step(
    Step *now, const Sizes *sizes, const double *numbers, double count
) noexcept nogil:
    """Set what a network's next step needs, on a batch of `count` samples."""
    now.size, now.gradient_size = vsplat(<real>sizes.size), vsplat(<real>sizes.gradient_size)
    now.epsilon, now.decay = vsplat(<real>sizes.epsilon), vsplat(<real>sizes.decay)
    now.alpha = vsplat(<real>(numbers[ALPHA] / count))
    now.l1 = vsplat(<real>(numbers[L1] / count))


cdef inline vec penalty(Step *now, vec w, vec g) noexcept nogil:
    """Return the gradient g with what the penalties add for weights w."""
    if now.penalty:
        g = vmuladd(now.alpha, w, g)
    if now.penalty == WITH_L1:
        g = vmuladd(now.l1, vsub(vpositive(w), vpositive(vsub(vsplat(0), w))), g)
    return g


cdef inline vec moving_mean(vec beta, vec mean, vec x) noexcept nogil:
    """Return beta mean + (1 - beta) x."""
    return vmuladd(beta, mean, vproduct(vsub(vsplat(1), beta), x))


cdef vec rare_step(
    int optimizer, real *weights, real *moment_1, real *moment_2, vec g, vec w, vec size,
    vec gradient_size, vec beta_1, vec beta_2, vec epsilon, vec decay,
) noexcept nogil:
    """Do the rest of `optimizer_step`, for weights w: see `activate_rarely`.

    A pointer to the caller's `now` would keep that from its registers; eight vectors travel in
    registers.
    """
    cdef vec m, v
    if optimizer == NESTEROV:
        m = vsub(vmul(beta_1, vload(moment_1)), vmul(size, g))
        vstore(moment_1, m)
        w = vadd(w, vsub(vmul(beta_1, m), vmul(size, g)))
    elif optimizer == RMSPROP:
        v = moving_mean(beta_2, vload(moment_1), vproduct(g, g))
        vstore(moment_1, v)
        w = vmuladd(vneg(size), vdiv_by_root(g, v, epsilon), w)
    elif optimizer == ADAMW or optimizer == NADAM or optimizer == ADAMW_KERAS:
        if optimizer != NADAM:
            w = vmuladd(vneg(decay), w, w)
        m = moving_mean(beta_1, vload(moment_1), g)
        v = moving_mean(beta_2, vload(moment_2), vproduct(g, g))
        vstore(moment_1, m)
        vstore(moment_2, v)
        m = vmuladd(size, m, vmul(gradient_size, g))
        w = vsub(w, vdiv_by_root(m, v, epsilon))
    vstore(weights, w)
    return w


cdef inline vec optimizer_step(
    real *weights, real *moment_1, real *moment_2, vec g, bint penalized, Step *now
) noexcept nogil:
    """Update LANES weights, or biases (not penalized), from their gradient g; return them."""
    cdef vec w = vload(weights), m, v
    if penalized:
        g = penalty(now, w, g)
    if now.optimizer == SGD:
        w = vmuladd(vneg(now.size), g, w)
    elif now.optimizer == ADAM:
        m = moving_mean(now.beta_1, vload(moment_1), g)
        v = moving_mean(now.beta_2, vload(moment_2), vproduct(g, g))
        vstore(moment_1, m)
        vstore(moment_2, v)
        w = vmuladd(vneg(now.size), vdiv_by_root(m, v, now.epsilon), w)
    elif now.optimizer == MOMENTUM:
        m = vsub(vmul(now.beta_1, vload(moment_1)), vmul(now.size, g))
        vstore(moment_1, m)
        w = vadd(w, m)
    elif now.optimizer == STORE_GRADIENT:
        vstore(moment_1, g)
        return w
    else:
        return rare_step(
            now.optimizer, weights, moment_1, moment_2, g, w, now.size, now.gradient_size,
            now.beta_1, now.beta_2, now.epsilon, now.decay)
    vstore(weights, w)
    return w


cdef void limit_norms(Layer *layer, Py_ssize_t p, real limit) noexcept nogil:
    """Scale the incoming weights of the units of panel p down to a norm of at most `limit`."""
    cdef Py_ssize_t lanes
    cdef real *w = layer.weights + p * (layer.n_in + 1) * WIDTH
    for lanes from 0 <= lanes < WIDTH by LANES:
        limit_columns(w + lanes, layer.n_in, WIDTH, vsplat(limit))


cdef void limit_columns(real *w, Py_ssize_t n, Py_ssize_t stride, vec limit) noexcept nogil:
    """Do so for LANES units, whose n weights are `stride` apart."""
    cdef Py_ssize_t k
    cdef vec squares = vsplat(0), factor
    for k in range(n):
        squares = vmuladd(vload(w + k * stride), vload(w + k * stride), squares)
    factor = vmin(vdiv(limit, vsqrt(squares)), vsplat(1))
    for k in range(n):
        vstore(w + k * stride, vmul(factor, vload(w + k * stride)))


cdef void philox_blocks(
    uint32_t first, uint32_t row, uint32_t step, uint32_t stream, uint32_t k0, uint32_t k1,
    uint32_t *out,
) noexcept nogil:
    """Write the words of counters (first + q, row, step, stream), q < WIDTH / 4; see python/formulas.py.

    The blocks are independent, so the compiler makes vectors of the loops over q.
    """
    cdef uint32_t c0[BLOCKS]
    cdef uint32_t c1[BLOCKS]
    cdef uint32_t c2[BLOCKS]
    cdef uint32_t c3[BLOCKS]
    cdef uint64_t p0, p1
    cdef int q, r
    for q in range(BLOCKS):
        c0[q], c1[q], c2[q], c3[q] = first + <uint32_t>q, row, step, stream
    for r in range(10):
        for q in range(BLOCKS):
            p0, p1 = <uint64_t>0xD2511F53 * c0[q], <uint64_t>0xCD9E8D57 * c2[q]
            c0[q], c2[q] = <uint32_t>(p1 >> 32) ^ c1[q] ^ k0, <uint32_t>(p0 >> 32) ^ c3[q] ^ k1
            c1[q], c3[q] = <uint32_t>p1, <uint32_t>p0
        k0 += <uint32_t>0x9E3779B9
        k1 += <uint32_t>0xBB67AE85
    for q in range(BLOCKS):
        out[4 * q], out[4 * q + 1], out[4 * q + 2], out[4 * q + 3] = c0[q], c1[q], c2[q], c3[q]


def philox(const uint32_t[::1] counter, uint64_t seed):
    """Return the four words of one counter: for tests against known answers."""
    cdef uint32_t out[WIDTH]
    philox_blocks(counter[0], counter[1], counter[2], counter[3],
                  <uint32_t>(seed & 0xFFFFFFFF), <uint32_t>(seed >> 32), out)
    return out[0], out[1], out[2], out[3]
