"""Layer objects as people write them, one class a text; each is right as it stands."""

HEAD = "import numpy as np\nrng = np.random.default_rng(1)\n"
DENSE = """
class Dense:
    def __init__(self, n_in, n_out):
        self.W, self.b = rng.normal(size=(n_in, n_out)), np.zeros(n_out)
    def forward(self, x):
        self.x = x
        return x @ self.W + self.b
    def backward(self, dy):
        self.dW, self.db = self.x.T @ dy, dy.sum(axis=0)
        return dy @ self.W.T
"""
COLUMNS = """
class Linear:
    def __init__(self, input_size, output_size):
        self.weights, self.bias = rng.normal(size=(output_size, input_size)), np.zeros((output_size, 1))
    def forward(self, x):
        self.x = x
        return self.weights @ x + self.bias
    def backward(self, dy):
        self.dweights, self.dbias = dy @ self.x.T, dy.sum(axis=1, keepdims=True)
        return self.weights.T @ dy
"""
WINDOWS = """
def windows(x, k, stride):
    v = np.lib.stride_tricks.sliding_window_view(x, (k, k), axis=(2, 3))
    return v[:, :, ::stride, ::stride]
"""
CONV = (
    WINDOWS
    + """
class Conv2D:
    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0):
        self.W = rng.normal(size=(out_channels, in_channels, kernel_size, kernel_size))
        self.b, self.stride, self.padding = np.zeros(out_channels), stride, padding
    def forward(self, x):
        p = self.padding
        self.x = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
        self.v = windows(self.x, self.W.shape[2], self.stride)
        return np.einsum("ncijuv,fcuv->nfij", self.v, self.W) + self.b[:, None, None]
    def backward(self, dout):
        k, s, p = self.W.shape[2], self.stride, self.padding
        self.dW, self.db = np.einsum("nfij,ncijuv->fcuv", dout, self.v), dout.sum(axis=(0, 2, 3))
        dx = np.zeros_like(self.x)
        for i in range(dout.shape[2]):
            for j in range(dout.shape[3]):
                dx[:, :, i * s : i * s + k, j * s : j * s + k] += np.einsum("nf,fcuv->ncuv", dout[:, :, i, j], self.W)
        return dx[:, :, p : dx.shape[2] - p, p : dx.shape[3] - p]
"""
)
POOL = (
    WINDOWS
    + """
class MaxPool:
    def __init__(self, pool_size, stride=2):
        self.size, self.stride = pool_size, stride
    def forward(self, x):
        self.x = x
        v = windows(x, self.size, self.stride)
        self.flat = v.reshape(*v.shape[:4], -1)
        return self.flat.max(axis=-1)
    def backward(self, dout):
        dx, where = np.zeros_like(self.x), self.flat.argmax(axis=-1)
        for n, c, i, j in np.ndindex(*dout.shape):
            u, v = divmod(where[n, c, i, j], self.size)
            dx[n, c, i * self.stride + u, j * self.stride + v] += dout[n, c, i, j]
        return dx
"""
)
FLATTEN = """
class Flatten:
    def forward(self, x):
        self.shape = x.shape
        return x.reshape(len(x), -1)
    def backward(self, dout):
        return dout.reshape(self.shape)
"""
RELU = """
class ReLU:
    def forward(self, x):
        self.mask = x > 0
        return x * self.mask
    def backward(self, dout):
        return dout * self.mask
"""
BATCHNORM = """
class BatchNorm2d:
    def __init__(self, num_features, eps=2e-4):
        self.gamma, self.beta = np.ones(num_features), np.zeros(num_features)
        self.running_mean, self.running_var, self.eps = np.zeros(num_features), np.ones(num_features), eps
    def forward(self, x):
        mu, var = x.mean(axis=(0, 2, 3), keepdims=True), x.var(axis=(0, 2, 3), keepdims=True)
        self.running_mean = 0.9 * self.running_mean + 0.1 * mu.ravel()
        self.std = np.sqrt(var + self.eps)
        self.xhat = (x - mu) / self.std
        return self.gamma[:, None, None] * self.xhat + self.beta[:, None, None]
    def backward(self, dout):
        axes, n = (0, 2, 3), dout.size / dout.shape[1]
        self.dgamma, self.dbeta = (dout * self.xhat).sum(axes), dout.sum(axes)
        g = dout * self.gamma[:, None, None]
        return (g - g.mean(axes, keepdims=True) - self.xhat * (g * self.xhat).sum(axes, keepdims=True) / n) / self.std
"""
DROPOUT = """
class Dropout:
    def __init__(self, p):
        self.p = p
    def forward(self, x):
        self.mask = (np.random.rand(*x.shape) > self.p) / (1 - self.p)
        return x * self.mask
    def backward(self, dout):
        return dout * self.mask
"""
EMBEDDING = """
class Embedding:
    def __init__(self, vocab_size, dim):
        self.W = rng.normal(size=(vocab_size, dim))
    def forward(self, ids):
        self.ids = ids
        return self.W[ids]
    def backward(self, dout):
        self.dW = np.zeros_like(self.W)
        np.add.at(self.dW, self.ids, dout)
"""
SOFTMAX_LOSS = """
class SoftmaxWithLoss:
    def forward(self, x, t):
        e = np.exp(x - x.max(axis=1, keepdims=True))
        self.y, self.t = e / e.sum(axis=1, keepdims=True), t
        return -np.sum(t * np.log(self.y + 1e-7)) / len(x)
    def backward(self, dout=1):
        return (self.y - self.t) / len(self.y)
"""
KEPT = """
class Dense:
    def __init__(self, n_inputs, n_neurons):
        self.weights, self.biases = np.random.randn(n_inputs, n_neurons), np.zeros((1, n_neurons))
    def forward(self, inputs):
        self.inputs = inputs
        self.output = inputs @ self.weights + self.biases
    def backward(self, dvalues):
        self.dweights, self.dbiases = self.inputs.T @ dvalues, dvalues.sum(axis=0, keepdims=True)
        self.dinputs = dvalues @ self.weights.T
class CrossEntropy:
    def forward(self, y_pred, y_true):
        return -np.log(np.sum(np.clip(y_pred, 1e-7, 1 - 1e-7) * y_true, axis=1))
    def calculate(self, output, y):
        return np.mean(self.forward(output, y))
    def backward(self, dvalues, y_true):
        self.dinputs = -y_true / dvalues / len(dvalues)
class SoftmaxCrossEntropy:
    def forward(self, inputs, y_true):
        e = np.exp(inputs - inputs.max(axis=1, keepdims=True))
        self.output = e / e.sum(axis=1, keepdims=True)
        return -np.mean(np.log(np.sum(self.output * y_true, axis=1)))
    def backward(self, dvalues, y_true):
        self.dinputs = (dvalues - y_true) / len(dvalues)
"""
SQUARES = """
class MSE:
    def loss(self, predicted, actual):
        return np.mean((predicted - actual) ** 2)
    def grad(self, predicted, actual):
        return 2 * (predicted - actual) / predicted.size
"""
DERIVATIVES = """
class Sigmoid:
    def __call__(self, x):
        return 1 / (1 + np.exp(-x))
    def gradient(self, x):
        return self(x) * (1 - self(x))
class Softmax:
    def __call__(self, x):
        e = np.exp(x - x.max(axis=-1, keepdims=True))
        return e / e.sum(axis=-1, keepdims=True)
    def gradient(self, x):
        return self(x) * (1 - self(x))
class CrossEntropy:
    def loss(self, y, p):
        p = np.clip(p, 1e-15, 1 - 1e-15)
        return -y * np.log(p) - (1 - y) * np.log(1 - p)
    def gradient(self, y, p):
        p = np.clip(p, 1e-15, 1 - 1e-15)
        return -(y / p) + (1 - y) / (1 - p)
"""
STEP = """
def sigmoid(z):
    return 1 / (1 + np.exp(-z))
"""
LSTM = (
    STEP
    + """
class LSTM:
    def __init__(self, input_size, hidden_size):
        d, h = input_size, hidden_size
        self.Wx, self.Wh, self.b = rng.normal(size=(d, 4 * h)), rng.normal(size=(h, 4 * h)), np.zeros(4 * h)
    def forward(self, x):
        (n, T, _), H = x.shape, self.Wh.shape[0]
        self.x, h, c = x, np.zeros((n, H)), np.zeros((n, H))
        self.cache, out = [], np.zeros((n, T, H))
        for t in range(T):
            z = x[:, t] @ self.Wx + h @ self.Wh + self.b
            f, i, o = sigmoid(z[:, :H]), sigmoid(z[:, H : 2 * H]), sigmoid(z[:, 3 * H :])
            g = np.tanh(z[:, 2 * H : 3 * H])
            before = h, c
            c = f * c + i * g
            h = o * np.tanh(c)
            out[:, t] = h
            self.cache.append((*before, f, i, g, o, c))
        return out
    def backward(self, dout):
        self.dWx, self.dWh, self.db = np.zeros_like(self.Wx), np.zeros_like(self.Wh), np.zeros_like(self.b)
        dx, H = np.zeros_like(self.x), self.Wh.shape[0]
        dh_next = dc_next = np.zeros((len(dout), H))
        for t in reversed(range(dout.shape[1])):
            h_prev, c_prev, f, i, g, o, c = self.cache[t]
            dh = dout[:, t] + dh_next
            dc = dc_next + dh * o * (1 - np.tanh(c) ** 2)
            dz = np.hstack([
                dc * c_prev * f * (1 - f),
                dc * g * i * (1 - i),
                dc * i * (1 - g**2),
                dh * np.tanh(c) * o * (1 - o),
            ])
            self.dWx += self.x[:, t].T @ dz
            self.dWh += h_prev.T @ dz
            self.db += dz.sum(axis=0)
            dx[:, t], dh_next, dc_next = dz @ self.Wx.T, dz @ self.Wh.T, dc * f
        return dx
"""
)
GRU = (
    STEP
    + """
class GRUCell:
    def __init__(self, input_dim, hidden_dim):
        d, h = input_dim, hidden_dim
        self.Wz, self.Wr, self.Wn = (rng.normal(size=(d, h)) for _ in range(3))
        self.Uz, self.Ur, self.Un = (rng.normal(size=(h, h)) for _ in range(3))
        self.bz, self.br, self.bn = np.zeros(h), np.zeros(h), np.zeros(h)
    def forward(self, x, h):
        self.x, self.h = x, h
        self.z = sigmoid(x @ self.Wz + h @ self.Uz + self.bz)
        self.r = sigmoid(x @ self.Wr + h @ self.Ur + self.br)
        self.n = np.tanh(x @ self.Wn + (self.r * h) @ self.Un + self.bn)
        return self.z * self.n + (1 - self.z) * h
    def backward(self, dh):
        x, h, z, r, n = self.x, self.h, self.z, self.r, self.n
        an = dh * z * (1 - n**2)
        az = dh * (n - h) * z * (1 - z)
        back = an @ self.Un.T
        ar = back * h * r * (1 - r)
        self.dWz, self.dWr, self.dWn = x.T @ az, x.T @ ar, x.T @ an
        self.dUz, self.dUr, self.dUn = h.T @ az, h.T @ ar, (r * h).T @ an
        self.dbz, self.dbr, self.dbn = az.sum(0), ar.sum(0), an.sum(0)
        dx = az @ self.Wz.T + ar @ self.Wr.T + an @ self.Wn.T
        return dx, dh * (1 - z) + az @ self.Uz.T + ar @ self.Ur.T + back * r
"""
)
ATTENTION = """
class MultiHeadAttention:
    def __init__(self, d_model, num_heads):
        self.heads = num_heads
        self.Wq, self.Wk, self.Wv, self.Wo = (rng.normal(size=(d_model, d_model)) for _ in range(4))
    def split(self, a):
        n, t, d = a.shape
        return a.reshape(n, t, self.heads, d // self.heads).transpose(0, 2, 1, 3)
    def merge(self, a):
        n, h, t, k = a.shape
        return a.transpose(0, 2, 1, 3).reshape(n, t, h * k)
    def forward(self, x):
        self.x = x
        self.q, self.k, self.v = (self.split(x @ w) for w in (self.Wq, self.Wk, self.Wv))
        self.scale = np.sqrt(self.q.shape[-1])
        s = self.q @ self.k.transpose(0, 1, 3, 2) / self.scale
        e = np.exp(s - s.max(axis=-1, keepdims=True))
        self.p = e / e.sum(axis=-1, keepdims=True)
        self.y = self.merge(self.p @ self.v)
        return self.y @ self.Wo
    def backward(self, dout):
        flat = lambda a: a.reshape(-1, a.shape[-1])
        self.dWo = flat(self.y).T @ flat(dout)
        dy = self.split(dout @ self.Wo.T)
        dv = self.p.transpose(0, 1, 3, 2) @ dy
        dp = dy @ self.v.transpose(0, 1, 3, 2)
        ds = self.p * (dp - (dp * self.p).sum(axis=-1, keepdims=True)) / self.scale
        dq, dk, dv = (self.merge(a) for a in (ds @ self.k, ds.transpose(0, 1, 3, 2) @ self.q, dv))
        self.dWq, self.dWk, self.dWv = (flat(self.x).T @ flat(d) for d in (dq, dk, dv))
        return dq @ self.Wq.T + dk @ self.Wk.T + dv @ self.Wv.T
"""
NETWORK = """
class Network:
    def __init__(self):
        self.layers = [Conv2D(1, 2, 3, padding=1), ReLU(), MaxPool(2, 2), Flatten(), Dense(2 * 3 * 3, 4)]
    def forward(self, x):
        for layer in self.layers:
            x = layer.forward(x)
        return x
    def backward(self, dout):
        for layer in reversed(self.layers):
            dout = layer.backward(dout)
        return dout
"""
IMAGES = CONV + RELU + POOL + FLATTEN + DENSE + NETWORK
