"""A correct class that takes its parameters as one vector: two layers without biases, written for one output."""

import numpy as np


class NeuralNetwork:
    """Sizes and parameters are attributes."""

    def __init__(self):
        self.inputLayerSize, self.hiddenLayerSize, self.outputLayerSize = 2, 3, 1
        self.W1 = np.random.randn(2, 3)
        self.W2 = np.random.randn(3, 1)

    def getParams(self):
        """W1 and W2 unrolled."""
        return np.concatenate([self.W1.ravel(), self.W2.ravel()])

    def setParams(self, params):
        """W1 and W2 from one vector."""
        end = self.inputLayerSize * self.hiddenLayerSize
        self.W1 = params[:end].reshape(self.inputLayerSize, self.hiddenLayerSize)
        self.W2 = params[end:].reshape(self.hiddenLayerSize, self.outputLayerSize)

    def forward(self, X):
        """Keeps the hidden activations."""
        self.a2 = np.tanh(X @ self.W1)
        return np.tanh(self.a2 @ self.W2)

    def costFunction(self, X, y):
        """Half the squared error; one number only with one output."""
        return 0.5 * sum((y - self.forward(X)) ** 2)

    def computeGradients(self, X, y):
        """Both gradients unrolled."""
        yHat = self.forward(X)
        delta3 = (yHat - y) * (1 - yHat**2)
        delta2 = (delta3 @ self.W2.T) * (1 - self.a2**2)
        return np.concatenate([(X.T @ delta2).ravel(), (self.a2.T @ delta3).ravel()])
