package IM::Load;

# The third step: lines go to the API, several at once.  A line is a batch, for
# /im/import, or {"call": PATH, "body": {...}} for one of the calls below.
#
#     FILE.journal        the lines that are done; a run that was interrupted
#                         goes on after them
#     FILE.refused.jsonl  the lines that the API refused, and why
#
# All lines of a conversation go through one process in the order of the file,
# and none after one that was refused.

use strict;
use warnings;

use Digest::SHA;
use Time::HiRes qw(time);

use IM::HTTP;
use IM::JSON qw(decode_json encode_json string object);
use IM::Pool;
use IM::Progress;

my $CALL = qr{^(?:user/set|msg/recall|conv/[^/]+/read|group/[^/]+/(?:alias|dismiss))$};
my $AHEAD = 8;                  # lines that wait for one process
my $AHEAD_BYTES = 6 << 20;      # of all
my $REFUSED_MAX = 100_000;
my $SAMPLE = 1 << 20;           # of a file, at both ends, to tell it again
my ($MESSAGES, $BYTES) = (1000, 4 << 20);
my $GRACE = 5;                  # seconds


# %o: files, url, jobs, again, late (refuse, send), members (refuse, keep,
# follow), patience, dry_run, quiet,
# progress, authorization

sub run {
    my (%o) = @_;
    return check(@{ $o{files} }) if $o{dry_run};

    my %http = (url => $o{url}, wait => 0.5, max_wait => 30, tries => 1e9,
                patience => $o{patience}, timeout => 60, child => 1,
                final => sub { $_[0]{status} == 502 },
                headers => sub { length($o{authorization} // '')
                                 ? (authorization => $o{authorization}) : () });
    IM::HTTP->new(%http);

    my $self = bless {
        %o, n => { map { $_ => 0 } qw(lines before stored skipped sent refused held) },
        queue => [ map { [] } 1 .. $o{jobs} ], waiting => 0, bytes => 0,
        lane => {}, bad => {},
    }, __PACKAGE__;

    $self->{pool} = IM::Pool->new($o{jobs}, sub { work(\%http, \%o, @_) });
    local @SIG{qw(INT TERM)} = (sub { $self->{stop} //= 'interrupted' }) x 2;

    my $total = 0;
    $total += -s $_ // die "$_: $!\n" for @{ $o{files} };
    $self->{progress} = IM::Progress->new(quiet => $o{quiet}, force => $o{progress},
                                          unit => 'messages', total => $total);

    # the lines of one file first: profiles before what shows them

    for my $file (@{ $o{files} }) {
        last if $self->{stop};
        $self->file($file);
    }
    $self->{pool}->stop;
    return $self->summary;
}


sub summary {
    my ($self) = @_;
    my $n = $self->{n};
    my $s = sprintf '%.1f', time() - $self->{progress}{start};

    $self->{progress}->end;
    print "$n->{stored} messages stored, $n->{skipped} were there, "
        . ($n->{sent} ? "$n->{sent} sent as new, " : '')
        . "$n->{lines} lines in $s s"
        . ($n->{before} ? ", $n->{before} lines done before" : '') . "\n";
    print "$n->{refused} lines refused, $n->{held} held back after them:"
        . " see *.refused.jsonl\n" if $n->{refused};
    print "stopped: $self->{stop}\nrun it again to go on\n" if $self->{stop};

    return $self->{fatal} ? 2 : $self->{stop} ? 3 : $n->{refused} ? 1 : 0;
}


sub file {
    my ($self, $file) = @_;
    my $progress = $self->{progress};

    open my $fh, '<:raw', $file or die "$file: $!\n";
    my ($done, $journal) = $self->journal($file);
    open my $refused, '>', "$file.refused.jsonl" or die "$file.refused.jsonl: $!\n";
    @$self{qw(journal refused)} = ($journal, $refused);

    my $n = 0;
    while (!$self->{stop} && defined(my $line = <$fh>)) {
        $n++;
        next if $line !~ /\S/;
        if (vec $done, $n, 1) {
            $self->{n}{before}++;
            $progress->skip(length $line);
            next;
        }
        my ($lane, $path, $body) = parse($line);
        $self->take_answers(600) while !$self->{stop} && !$self->room($lane);
        last if $self->{stop};
        $self->put({ line => $n, lane => $lane, path => $path, body => $body,
                     bytes => length $line });
        $self->take_answers(0);
    }

    # what is in flight may not be waited for when it is interrupted

    my $end = time + $GRACE;
    $self->take_answers(1)
        while $self->{pool}->busy && (!$self->{stop} || time < $end);

    close $_ or die "$file: $!\n" for $journal, $refused;
    unlink "$file.refused.jsonl" if !-s "$file.refused.jsonl";
}


# the conversation, within which lines keep their order, the call, the body

sub parse {
    my ($line) = @_;
    chomp $line;
    return ($1, 'import', $line) if $line =~ /^\{"conv_id":"([^"\\]+)"/;

    my ($v) = eval { decode_json($line) };
    return ('', '', 'not a JSON object') if ref $v ne 'HASH';
    return ($v->{conv_id} // '', 'import', $line) if !defined $v->{call};
    return ('', '', "not a call for a file: $v->{call}")
        if ref $v->{call} || $v->{call} !~ $CALL || ref $v->{body} ne 'HASH';
    my ($lane) = $v->{call} =~ m{^(?:conv|group)/([^/]+)/};
    return ($lane // $v->{body}{conv_id} // '', $v->{call}, encode_json($v->{body}));
}


sub room {
    my ($self, $lane) = @_;
    my $i = $self->worker($lane);
    return @{ $self->{queue}[$i] } < $AHEAD
           && ($self->{bytes} < $AHEAD_BYTES || !$self->{waiting});
}


# the process that has a conversation, else the one with least to do

sub worker {
    my ($self, $lane) = @_;
    my $q = $self->{queue};
    return $self->{lane}{$lane}{worker} if $self->{lane}{$lane};
    my $load = sub { @{ $q->[$_[0]] } + ($self->{pool}{workers}[$_[0]]{busy} ? 1 : 0) };
    return (sort { $load->($a) <=> $load->($b) || $a <=> $b } 0 .. $#$q)[0];
}


sub put {
    my ($self, $task) = @_;
    my $i = $self->worker($task->{lane});
    if (length $task->{lane}) {
        $self->{lane}{ $task->{lane} } //= { worker => $i, n => 0 };
        $self->{lane}{ $task->{lane} }{n}++;
    }
    push @{ $self->{queue}[$i] }, $task;
    $self->{waiting}++;
    $self->{bytes} += $task->{bytes};
    $self->start($i) if !$self->{pool}{workers}[$i]{busy};
}


sub start {
    my ($self, $i) = @_;
    while (!$self->{stop} && (my $task = shift @{ $self->{queue}[$i] })) {
        if ($task->{path} eq '') {
            $self->refuse($task, { status => 0, code => 'bad_line', error => $task->{body} });
        } elsif (length $task->{lane} && $self->{bad}{ $task->{lane} }) {
            $self->{n}{held}++;
        } else {
            $self->{current}[$i] = $task;
            $self->{pool}->give($i, "$task->{path}\n$task->{body}");
            return;
        }
        $self->finish($task);
    }
}


sub finish {
    my ($self, $task) = @_;
    my $lane = $self->{lane}{ $task->{lane} };
    delete $self->{lane}{ $task->{lane} } if $lane && !--$lane->{n};
    $self->{waiting}--;
    $self->{bytes} -= $task->{bytes};
    $self->{progress}->done($task->{bytes});
}


sub take_answers {
    my ($self, $seconds) = @_;
    my $n = $self->{n};

    for ($self->{pool}->wait($seconds)) {
        my ($i, $kind, $text) = @$_;
        my ($r) = decode_json($text);
        if ($kind eq 'note') {
            $self->{progress}->line("waiting: $r->{wait}") if !$self->{stop};
            next;
        }

        my $task = $self->{current}[$i];
        if ($r->{status} == 200) {
            print { $self->{journal} } "$task->{line} $r->{stored} $r->{skipped}\n"
                or die "journal: $!\n";
            $self->{journal}->flush;
            $n->{lines}++;
            $n->{$_} += $r->{$_} // 0 for qw(stored skipped sent);
            $self->{progress}->add($r->{stored} + $r->{skipped} + ($r->{sent} // 0));
        } else {
            $self->refuse($task, $r);
        }
        $self->finish($task);
        $self->start($i);
    }
    $self->{progress}->show($n->{refused} ? "$n->{refused} refused" : '');
}


sub refuse {
    my ($self, $task, $r) = @_;
    my $why = "$r->{status} $r->{code}: $r->{error}";

    # these would befall every line

    my $all = $r->{status} == 404 && $r->{code} eq 'not_found'
            ? "$task->{path} is not served there: is im_import on?"
            : $r->{status} =~ /^(?:401|403|405|407)$/ && $r->{code} ne 'not_member'
              || $r->{code} eq '' && $r->{status} < 500 ? $why
            : $r->{status} =~ /^(?:429|500|503|504|599)$/ ? $why
            : undef;
    if (defined $all) {
        $self->{fatal} = 1 if $r->{status} < 429;
        $self->{stop} //= $all;
        return;
    }

    $self->{n}{refused}++;
    $self->{bad}{ $task->{lane} } = 1 if length $task->{lane};
    print { $self->{refused} } object(line => $task->{line},
        conv_id => string($task->{lane}), status => $r->{status} + 0,
        code => string($r->{code}), error => string($r->{error})), "\n"
        or die "refused.jsonl: $!\n";
    $self->{progress}->line("line $task->{line}: $why") if $self->{n}{refused} <= 10;
    $self->{stop} //= "more than $REFUSED_MAX lines refused"
        if $self->{n}{refused} > $REFUSED_MAX;
}


# The lines that are done, as a bit vector, and the journal to go on with.  It
# belongs to this very file and this address, or begins anew: a line that is
# loaded again is skipped by the API.

sub journal {
    my ($self, $file) = @_;
    my $name = "$file.journal";
    my $head = "im-import 1 $self->{url} " . identity($file) . "\n";
    my ($done, $end) = ('', 0);

    if (!$self->{again} && open my $fh, '<', $name) {
        my $first = <$fh>;
        if (($first // '') eq $head) {
            $end = tell $fh;
            while (defined(my $line = <$fh>)) {
                last if $line !~ /^(\d+) \d+ \d+\n/;
                vec($done, $1, 1) = 1;
                $end = tell $fh;
            }
        }
    }

    open my $to, $end ? '+<' : '>', $name or die "$name: $!\n";
    if ($end) {
        truncate $to, $end or die "$name: $!\n";
        seek $to, $end, 0;
    } else {
        print {$to} $head or die "$name: $!\n";
    }
    return ($done, $to);
}


sub identity {
    my ($file) = @_;
    open my $fh, '<:raw', $file or die "$file: $!\n";
    my $sha = Digest::SHA->new(256);
    my $size = -s $fh;
    for my $at (0, $size > $SAMPLE ? $size - $SAMPLE : ()) {
        seek $fh, $at, 0;
        read $fh, my ($bytes), $SAMPLE;
        $sha->add($bytes);
    }
    return "$size " . $sha->hexdigest;
}


# --- in a process of the pool

my $http;

sub work {
    my ($o, $how, $text, $note) = @_;
    my ($path, $body) = split /\n/, $text, 2;
    $http //= IM::HTTP->new(%$o, note => sub {
        my ($r) = @_;
        $note->(object(wait => string(IM::HTTP::reason($r))));
    });

    my $r = call($path, $body);
    ($r, $body) = with_members($body, $r, $how->{members})
        if $r->{code} eq 'import_conflict' && $how->{members} ne 'refuse';
    $r = send_late($body, $r)
        if $r->{code} eq 'import_conflict' && $how->{late} eq 'send';
    $r->{status} = 200      # a recalled message need not have been loaded
        if $path eq 'msg/recall' && $r->{code} =~ /^(?:conv|msg)_not_found$/;
    delete $r->{value};
    return encode_json($r);
}


sub call {
    my ($path, $body) = @_;
    my $r = $http->request(POST => $path, undef, $body);
    my ($v) = eval { decode_json($r->{content}) };
    my $object = ref $v eq 'HASH' ? $v : {};
    return {
        status => $r->{status}, value => $v,
        stored => $object->{stored} // 0, skipped => $object->{skipped} // 0,
        code => $object->{code} // '',
        error => $object->{error} // ($r->{status} == 200 ? '' : IM::HTTP::reason($r)),
    };
}


# A batch for a group whose members are others: its messages are stored, and
# the members stay (keep) or become those of the batch (follow).  Returns the
# result, and the batch as it was sent last.

sub with_members {
    my ($body, $first, $how) = @_;
    my ($batch) = decode_json($body);
    my ($id, @want) = ($batch->{conv_id}, @{ $batch->{conv_users} });
    return ($first, $body) if $batch->{conv_type} != 1;

    my $list = call("group/$id/list", '{}');
    return ($first, $body) if $list->{status} != 200 || !@{ $list->{value} };
    my @now = map { $_->{id} } @{ $list->{value} };
    my ($owner, %now, %want) = ($now[0]);
    @now{@now} = @want{@want} = ();
    my @add = grep { !exists $now{$_} } @want;
    my @remove = grep { !exists $want{$_} } @now;
    return ($first, $body) if !@add && !@remove;

    if ($how eq 'follow') {
        my $new = $batch->{owner_id} // $want[0];
        my @steps = (
            (@add ? [ 'add/group/merber', { conv_id => $id, member => \@add } ] : ()),
            ($new ne $owner ? [ "group/$id/transfer", { from_id => $owner, to_id => $new } ]
                            : ()),
            (@remove ? [ "group/$id/remove", { from_id => $new, member => \@remove } ] : ()),
        );
        for (@steps) {
            my $r = call($_->[0], encode_json($_->[1]));
            return ($r, $body) if $r->{status} != 200;
        }
    } else {
        $batch->{conv_users} = \@now;
        delete $batch->{owner_id};
        $body = encode_json($batch);
    }
    return (call('import', $body), $body);
}


# A batch that is older than what the conversation has: what is missing of it
# is sent as new messages, once.

sub send_late {
    my ($body, $first) = @_;
    my ($batch) = decode_json($body);
    my %n = (stored => 0, skipped => 0, sent => 0);

    for my $m (@{ $batch->{messages} }) {
        my $there = call("conv/$batch->{conv_id}",
            encode_json({ after => "$m->{msg_id}", page_size => 1 }));
        if ($there->{status} == 200) { $n{skipped}++; next }
        return $first if $there->{code} ne 'msg_not_found';
        next if !length $m->{msg};

        my $key = length $m->{msg_id} <= 64 ? $m->{msg_id}
                : Digest::SHA::sha1_hex($m->{msg_id});
        my $r = call('send/msg', object(conv_id => string($batch->{conv_id}),
            from_id => string($m->{from_id}), msg => string($m->{msg}),
            msg_type => $m->{msg_type} + 0, client_msg_id => string($key)));
        return $r if $r->{status} != 200;
        $n{sent}++;
    }
    return { %$first, %n, status => 200, code => '' };
}


# --- dry run: what can be said of the lines without the API

sub check {
    my (@files) = @_;
    my %n = map { $_ => 0 } qw(lines batches messages conversations calls bad);
    my ($conv, $last) = ('', 0);

    for my $file (@files) {
        open my $fh, '<:raw', $file or die "$file: $!\n";
        while (my $line = <$fh>) {
            next if $line !~ /\S/;
            $n{lines}++;
            my ($lane, $path, $body) = parse($line);
            my @bad = $path eq '' ? $body : ();

            if ($path eq 'import') {
                my ($b) = eval { decode_json($body) };
                @bad = batch_errors($b, length $body);
                if (!@bad) {
                    $n{batches}++;
                    ($conv, $last) = ($lane, 0), $n{conversations}++ if $lane ne $conv;
                    for my $m (@{ $b->{messages} }) {
                        push @bad, "$m->{msg_id}: older than the message before it"
                            if $m->{from_time} < $last;
                        $last = $m->{from_time};
                        $n{messages}++;
                    }
                }
            } elsif ($path ne '') {
                $n{calls}++;
            }
            $n{bad}++ if @bad;
            print STDERR "$file line $.: $bad[0]\n" if @bad && $n{bad} <= 10;
        }
    }

    print "$n{lines} lines: $n{batches} batches with $n{messages} messages of"
        . " $n{conversations} conversations, $n{calls} other calls, $n{bad} bad lines\n";
    return $n{bad} ? 1 : 0;
}


sub batch_errors {
    my ($b, $bytes) = @_;
    my $is = sub { defined $_[0] && !ref $_[0] && length $_[0] };
    return 'not a JSON object' if ref $b ne 'HASH';
    return 'conv_id' if !$is->($b->{conv_id});
    return 'conv_type is 0 or 1' if ($b->{conv_type} // '') !~ /^[01]$/;
    return 'conv_users' if ref $b->{conv_users} ne 'ARRAY';
    return 'conv_users: a 1:1 has two' if !$b->{conv_type} && @{ $b->{conv_users} } != 2;
    return 'messages' if ref $b->{messages} ne 'ARRAY';
    return "more than $MESSAGES messages" if @{ $b->{messages} } > $MESSAGES;
    return "more than $BYTES bytes" if $bytes > $BYTES;
    my $i = 0;
    for my $m (@{ $b->{messages} }) {
        my ($bad) = ref $m ne 'HASH' ? 'not an object'
            : !$is->($m->{msg_id}) || length $m->{msg_id} > 128 ? 'msg_id'
            : !$is->($m->{from_id}) ? 'from_id'
            : ref $m->{msg} || !defined $m->{msg} ? 'msg'
            : ($m->{msg_type} // '') !~ /^[0-4]$/ ? 'msg_type'
            : ($m->{from_time} // '') !~ /^\d+$/ ? 'from_time' : ();
        return "messages[$i]: $bad" if defined $bad;
        $i++;
    }
    return;
}


1;
