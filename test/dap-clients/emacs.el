;;; emacs.el --- Hyperstep in dap-mode  -*- lexical-binding: t; -*-
;; A session of Emacs dap-mode with Hyperstep, in batch: what dap-mode has commands for, each by that command. What happens
;; is printed for emacs.mjs to judge.
;;
;;   HYPERSTEP_CLI=dist/cli.js HYPERSTEP_ROOT=. emacs -Q --batch -l test/dap-clients/emacs.el
;; Where Debian puts Lisp packages.
(dolist (folder (file-expand-wildcards "/usr/share/emacs/site-lisp/elpa*/*")) (add-to-list 'load-path folder))
(require 'dap-mode)
(require 'dap-ui)
(require 'json)

(defvar root (file-name-as-directory (expand-file-name (getenv "HYPERSTEP_ROOT"))))
;; A display would set it.
(defvar treemacs-text-scale nil)
(defvar stops 0)
(defvar output "")
(defun say (format-string &rest args) (princ (concat (apply #'format format-string args) "\n")))

(setq dap-auto-configure-features nil
      dap-auto-show-output nil
      dap-print-io nil
      dap-breakpoints-file (make-temp-file "dap-breakpoints"))

(defun wait-until (what holds)
  (with-timeout (40 (error "%s did not come" what))
    (while (not (funcall holds)) (accept-process-output nil 0.05))))

(defun session () (dap--cur-session))
(defun ask (command &rest args) (apply #'dap-request (session) command args))
(defun frames () (append (gethash "stackFrames" (ask "stackTrace" :threadId 1)) nil))
(defun names () (mapcar (lambda (frame) (gethash "name" frame)) (frames)))
(defun top () (car (names)))

(defun stop-after (action)
  "Performs ACTION and waits until the machine stands again, and until dap-mode has looked at the stack."
  (let ((next (1+ stops)))
    (funcall action)
    (wait-until "a stop" (lambda () (and (>= stops next) (dap--debug-session-active-frame (session)))))))

(defun answers-to (line)
  "Types LINE as a person would where dap-mode asks for one."
  (lambda (&rest _) line))

(defun evaluated (expression)
  "What dap-eval shows."
  (let (shown)
    (cl-letf (((symbol-function 'dap-overlays--display-interactive-eval-result) (lambda (value &rest _) (setq shown value)))
              ((symbol-function 'message) (lambda (format-string &rest args) (when format-string (setq shown (apply #'format format-string args))))))
      (dap-eval expression)
      (wait-until expression (lambda () shown)))
    (substring-no-properties shown)))

(defun place (text)
  "Puts point at the first line of the handlers' source that contains TEXT."
  (goto-char (point-min))
  (search-forward text))

(defun at-point () (dap--get-breakpoint-at-point))

(advice-add 'dap--on-event :after
            (lambda (_ event)
              (pcase (gethash "event" event)
                ("stopped" (setq stops (1+ stops)))
                ("output" (setq output (concat output (gethash "output" (gethash "body" event))))))))

(find-file (concat root "lab/vmm/vmexits.c"))
(place "if (leaf == 1)")
(dap-breakpoint-add)
(stop-after (lambda ()
              (dap-start-debugging-noexpand
               (list :type "hyperstep" :request "launch" :name "lab" :cwd (concat root "lab")
                     :dap-server-path (list "node" (getenv "HYPERSTEP_CLI") "dap")))
              (wait-until "the session" #'session)))

;; The stack of both worlds, and the editor at its innermost line.
(say "frames: %s" (string-join (names) ", "))
(say "editor: %s" (string-trim (thing-at-point 'line t)))

;; Expressions: typed, at point, and the list of watches.
(say "eval: %s" (evaluated "leaf"))
(say "eval of a field: %s" (evaluated "$vmcs.VM_EXIT_REASON"))
(say "eval of nothing: %s" (evaluated "nothing_like_this"))
(setq dap-ui-expressions '("leaf" "g->regs" "$guest.cr3"))
(dap-ui-expressions-refresh)
(say "watches: %s" (replace-regexp-in-string "[ \n]+" " " (with-current-buffer dap-ui--expressions-buffer (buffer-string))))

;; Scopes and variables as the tree of locals asks for them, and a value that is typed into it.
(defun scope (name)
  (seq-find (lambda (s) (equal (gethash "name" s) name)) (gethash "scopes" (ask "scopes" :frameId (gethash "id" (dap--debug-session-active-frame (session)))))))
(defun rendered (reference) (dap-ui-render-variables (session) reference nil))
(defun label-of (nodes key) (substring-no-properties (plist-get (seq-find (lambda (n) (equal (plist-get n :key) key)) nodes) :label)))
(let* ((locals (gethash "variablesReference" (scope "Locals")))
       (nodes (rendered locals)))
  (say "locals: %s" (string-join (mapcar (lambda (n) (plist-get n :key)) nodes) " "))
  (say "struct: %s" (label-of (funcall (plist-get (seq-find (lambda (n) (equal (plist-get n :key) "g")) nodes) :children) nil) "regs"))
  (cl-letf (((symbol-function 'read-string) (answers-to "77")))
    (ask "setVariable" :variablesReference locals :name "edx" :value (read-string "Enter value")))
  (say "set: %s" (label-of (rendered locals) "edx")))
(say "registers: %s" (label-of (rendered (gethash "variablesReference" (scope "Registers"))) "General"))
(say "vmcs: %s" (string-join (mapcar (lambda (n) (plist-get n :key)) (rendered (gethash "variablesReference" (scope "VMCS")))) ", "))

;; Another frame: expressions follow it.
(dap-up-stack-frame 1)
(say "up: %s" (gethash "name" (dap--debug-session-active-frame (session))))
(dap-down-stack-frame 1)

;; Steps.
(stop-after (lambda () (dap-next (session))))
(say "next: %s, line %s" (top) (string-trim (thing-at-point 'line t)))
(stop-after (lambda () (dap-step-out (session))))
(say "out: %s" (top))
(stop-after (lambda () (dap-step-in (session))))
(say "in: %s" (top))

;; What dap-mode has no command for goes by its request.
(stop-after (lambda () (ask "stepBack" :threadId 1)))
(say "back: %s" (top))

;; Conditions, hit counts and messages of breakpoints.
(find-file (concat root "lab/vmm/vmexits.c"))
(place "if (leaf == 1)")
(dap-breakpoint-toggle)
(place "switch (r->rax)")
(dap-breakpoint-add)
(cl-letf (((symbol-function 'read-string) (answers-to "g->regs.rax == 2"))) (dap-breakpoint-condition buffer-file-name (at-point)))
(stop-after (lambda () (dap-continue (session) 1)))
(say "condition: %s, %s" (top) (evaluated "g->regs.rax"))
(dap-breakpoint-toggle)
(dap-breakpoint-add)
(cl-letf (((symbol-function 'read-string) (answers-to "== 3"))) (dap-breakpoint-hit-condition buffer-file-name (at-point)))
(stop-after (lambda () (dap-continue (session) 1)))
(say "hits: %s" (top))
(dap-breakpoint-toggle)
(dap-breakpoint-add)
(cl-letf (((symbol-function 'read-string) (answers-to "VMCALL {r->rax}"))) (dap-breakpoint-log-message buffer-file-name (at-point)))

;; VM exits are exception filters; dap-ui keeps which are on.
(say "filters: %s" (if (seq-find (lambda (f) (equal (gethash "filter" f) "exit:VMCALL")) (gethash "exceptionBreakpointFilters" (dap--debug-session-current-capabilities (session)))) "VM exits among them" "none"))
(setf (alist-get "exit:VMCALL" (alist-get "hyperstep" dap-exception-breakpoints nil nil #'equal) nil nil #'equal) t)
(let (answered)
  (dap--set-exception-breakpoints (session) (lambda () (setq answered t)))
  (wait-until "the filters" (lambda () answered)))
(stop-after (lambda () (dap-continue (session) 1)))
(stop-after (lambda () (dap-continue (session) 1)))
(say "exit: %s" (seq-find (lambda (name) (string-match-p "VM exit" name)) (names)))
(say "log: %s" (if (string-match "VMCALL [23]" output) "told" "nothing"))

;; Threads, a frame that starts again, pause.
(let ((threads (append (gethash "threads" (ask "threads")) nil)))
  (say "threads: %s" (string-join (mapcar (lambda (thread) (dap--thread-label (session) thread)) threads) ", ")))
(stop-after (lambda () (dap-restart-frame (session) (gethash "id" (dap--debug-session-active-frame (session))))))
(say "frame again: %s" (top))
(ask "setExceptionBreakpoints" :filters (vector))
(dap-breakpoint-delete-all)
(dap-continue (session) 1)
(stop-after (lambda () (dap-stop-thread-1 (session) 1)))
(say "paused: %s" (if (frames) "with a stack" "without a stack"))

;; The end of this session, and the same once more.
(let ((old (session)))
  (dap-disconnect old)
  (wait-until "the end of the session" (lambda () (not (dap--session-running old)))))
(say "done")
