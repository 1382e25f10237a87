;; A short session of Emacs dap-mode with Hyperstep, in batch: a breakpoint in the VMM's CPUID handler, the stack of both
;; worlds, steps, an expression, step back, the next stop. What happens is printed for emacs.mjs to judge.
;;
;;   HYPERSTEP_CLI=dist/cli.js HYPERSTEP_ROOT=. emacs -Q --batch -l test/dap-clients/emacs.el
;; Where Debian puts Lisp packages.
(dolist (folder (file-expand-wildcards "/usr/share/emacs/site-lisp/elpa*/*")) (add-to-list 'load-path folder))
(require 'dap-mode)
(require 'json)

(defvar root (file-name-as-directory (expand-file-name (getenv "HYPERSTEP_ROOT"))))
(defvar stops 0)
;; dap-ui has it, which wants a display.
(defvar dap-exception-breakpoints nil)
(defun say (format-string &rest args) (princ (concat (apply #'format format-string args) "\n")))

(setq dap-auto-configure-features nil
      dap-auto-show-output nil
      dap-print-io nil
      dap-breakpoints-file (make-temp-file "dap-breakpoints"))
;; There is no window to show a frame in.
(defalias 'dap--go-to-stack-frame #'ignore)

(defun ask (session command args)
  "Sends COMMAND with ARGS and waits for its answer."
  (let (answer)
    (dap--send-message (dap--make-request command args) (lambda (result) (setq answer result)) session)
    (with-timeout (20 (error "no answer to %s" command))
      (while (not answer) (accept-process-output nil 0.05)))
    (unless (gethash "success" answer) (error "%s was refused: %s" command (gethash "message" answer)))
    (gethash "body" answer)))

(defun wait-for-stop (number)
  (with-timeout (40 (error "stop %d did not come" number))
    (while (< stops number) (accept-process-output nil 0.05))))

(defun top-frames (session)
  (let ((frames (gethash "stackFrames" (ask session "stackTrace" (list :threadId 1)))))
    (mapcar (lambda (frame) (gethash "name" frame)) frames)))

(advice-add 'dap--on-event :after (lambda (_ event) (when (equal (gethash "event" event) "stopped") (setq stops (1+ stops)))))

(let ((source (find-file-noselect (concat root "lab/vmm/vmexits.c"))))
  (with-current-buffer source
    (goto-char (point-min))
    (search-forward "if (leaf == 1)")
    (dap-breakpoint-add))
  (dap-start-debugging-noexpand
   (list :type "hyperstep" :request "launch" :name "lab" :cwd (concat root "lab")
         :dap-server-path (list "node" (getenv "HYPERSTEP_CLI") "dap")))
  (wait-for-stop 1)
  (let ((session (dap--cur-session)))
    (say "frames: %s" (string-join (top-frames session) ", "))
    (dap-next session)
    (wait-for-stop 2)
    (let* ((frame (aref (vconcat (gethash "stackFrames" (ask session "stackTrace" (list :threadId 1)))) 0))
           (body (ask session "evaluate" (list :expression "leaf" :frameId (gethash "id" frame) :context "watch"))))
      (say "leaf: %s" (gethash "result" body)))
    (ask session "stepBack" (list :threadId 1))
    (wait-for-stop 3)
    (say "back in: %s" (car (top-frames session)))
    (ask session "setExceptionBreakpoints" (list :filters (vector "exit:VMCALL")))
    (dap-continue session 1)
    (wait-for-stop 4)
    (say "then: %s" (seq-find (lambda (name) (string-match-p "VM exit" name)) (top-frames session)))
    (dap-disconnect session)
    (say "done")))
